//! Medians and ratios over rounds.

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}

/// The median of what two contestants' figures are to each other round by round: what was going on in one round beside
/// the bench, both have felt. `None` where a contestant has no rounds, or the divisor is nothing.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> Option<f64> {
    let ratios = of.iter().zip(to).map(|(of, to)| of / to);
    median(ratios).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(measured: Option<f64>, expected: f64) {
        let measured = measured.expect("a figure");
        assert!((measured - expected).abs() < 1e-9, "{measured} is not {expected}");
    }

    #[test]
    fn a_median_is_in_the_middle_whatever_the_order() {
        near(median([3.0, 1.0, 2.0]), 2.0);
        near(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        near(median([7.0]), 7.0);
        assert_eq!(median([]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was three times as slow in the second round, for both.
        near(ratio(&[30.0, 10.0, 30.0], &[60.0, 20.0, 60.0]), 0.5);
        assert_eq!(ratio(&[1.0], &[]), None);
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }
}
