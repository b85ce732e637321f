//! Median and ratio over rounds.

/// The middle value, or the mean of the two middle ones; `None` if there are no values.
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

/// The median of the ratios within each round, so that other load on the machine affects both sides alike. `None` if a
/// side has no rounds or the divisor is 0.
pub(crate) fn ratio(numerators: &[f64], denominators: &[f64]) -> Option<f64> {
    let pairs = numerators.iter().zip(denominators);
    let ratios = pairs.map(|(numerator, denominator)| numerator / denominator);
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
    fn the_median_does_not_depend_on_the_order() {
        near(median([3.0, 1.0, 2.0]), 2.0);
        near(median([4.0, 1.0, 3.0, 2.0]), 2.5);
        near(median([7.0]), 7.0);
        assert_eq!(median([]), None);
    }

    #[test]
    fn the_ratio_is_taken_within_each_round() {
        // In the second round the machine was three times slower for both.
        near(ratio(&[30.0, 10.0, 30.0], &[60.0, 20.0, 60.0]), 0.5);
        assert_eq!(ratio(&[1.0], &[]), None);
        assert_eq!(ratio(&[1.0], &[0.0]), None);
    }
}
