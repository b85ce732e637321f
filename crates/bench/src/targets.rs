//! Performance targets, their verdicts, and the Markdown table.

use std::fmt::Write as _;

use serde::Serialize;

/// The range of a value that meets the target.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn with(self, number: f64) -> Self {
        match self {
            Self::AtLeast(_) => Self::AtLeast(number),
            Self::AtMost(_) => Self::AtMost(number),
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", number(least)),
            Self::AtMost(most) => format!("≤ {}", number(most)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Met,
    /// The target is met, the aim is not.
    AimMissed,
    Missed,
    /// The reference was not measured.
    NotMeasured,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// The gateway's figure, as text.
    pub(crate) gateway: String,
    /// The figure that it is compared with, as text.
    pub(crate) reference: String,
    /// Compared with `bound`; `None` if it was not measured.
    pub(crate) measured: Option<f64>,
    pub(crate) bound: Bound,
    /// Stricter than `bound`.
    pub(crate) aim: Option<f64>,
}

impl Target {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.measured {
            None => Verdict::NotMeasured,
            Some(measured) if !self.bound.holds(measured) => Verdict::Missed,
            Some(measured) if self.aim.is_some_and(|aim| !self.bound.with(aim).holds(measured)) => Verdict::AimMissed,
            Some(_) => Verdict::Met,
        }
    }

    fn line(&self) -> String {
        let required = match self.aim {
            Some(aim) => format!("{}, aim {}", self.bound.text(), number(aim)),
            None => self.bound.text(),
        };
        let met = match self.verdict() {
            Verdict::Met => "yes",
            Verdict::AimMissed => "yes, aim missed",
            Verdict::Missed => "**no**",
            Verdict::NotMeasured => "not measured",
        };
        let measured = self.measured.map_or_else(|| "–".to_owned(), number);
        let Self {
            name,
            gateway,
            reference,
            ..
        } = self;
        format!("| {name} | {gateway} | {reference} | {measured} | {required} | {met} |")
    }
}

/// As Markdown.
pub(crate) fn table(targets: &[Target]) -> String {
    let head = "| | gateway | reference | measured | target | met |\n|---|---|---|---|---|---|";
    targets.iter().fold(head.to_owned(), |mut table, target| {
        // Writing to a String does not fail.
        let _ = write!(table, "\n{}", target.line());
        table
    })
}

/// Rounds to about three significant digits.
pub(crate) fn number(number: f64) -> String {
    if number.fract() == 0.0 || number.abs() >= 100.0 {
        grouped(number)
    } else if number.abs() >= 10.0 {
        format!("{number:.1}")
    } else if number.abs() >= 0.1 {
        format!("{number:.2}")
    } else {
        format!("{number:.3}")
    }
}

/// `12,345`
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(measured: impl Into<Option<f64>>, bound: Bound, aim: Option<f64>) -> Target {
        Target {
            name: "speed",
            gateway: "3".to_owned(),
            reference: "10".to_owned(),
            measured: measured.into(),
            bound,
            aim,
        }
    }

    #[test]
    fn a_value_within_or_equal_to_the_bound_meets_the_target() {
        let at_least = Bound::AtLeast(0.3);
        assert_eq!(target(0.3, at_least, None).verdict(), Verdict::Met);
        assert_eq!(target(0.29, at_least, None).verdict(), Verdict::Missed);
        let at_most = Bound::AtMost(3.0);
        assert_eq!(target(3.0, at_most, None).verdict(), Verdict::Met);
        assert_eq!(target(3.1, at_most, None).verdict(), Verdict::Missed);
        assert_eq!(target(f64::NAN, at_most, None).verdict(), Verdict::Missed);
        assert_eq!(target(None, at_most, None).verdict(), Verdict::NotMeasured);
    }

    #[test]
    fn an_aim_is_stricter_than_its_target() {
        assert_eq!(
            target(0.4, Bound::AtLeast(0.3), Some(0.45)).verdict(),
            Verdict::AimMissed
        );
        assert_eq!(target(0.5, Bound::AtLeast(0.3), Some(0.45)).verdict(), Verdict::Met);
        assert_eq!(target(2.5, Bound::AtMost(3.0), Some(2.0)).verdict(), Verdict::AimMissed);
        assert_eq!(target(1.5, Bound::AtMost(3.0), Some(2.0)).verdict(), Verdict::Met);
    }

    #[test]
    fn the_table_has_a_line_for_each_target() {
        let targets = [
            target(0.312, Bound::AtLeast(0.3), Some(0.45)),
            target(None, Bound::AtMost(5.0), None),
        ];
        let table = table(&targets);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| speed | 3 | 10 | 0.31 | ≥ 0.30, aim 0.45 | yes, aim missed |",
                "| speed | 3 | 10 | – | ≤ 5 | not measured |"
            ]
        );
    }

    #[test]
    fn numbers_are_short_and_readable() {
        let shown = [0.0, 0.0192, 0.456, 12.34, 345.6, 1234.0, 1_234_567.8, -1500.0].map(number);
        assert_eq!(
            shown,
            ["0", "0.019", "0.46", "12.3", "346", "1,234", "1,234,568", "-1,500"]
        );
    }
}
