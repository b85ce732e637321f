//! The targets: what the gateway has to reach, whether it did, and the table that says so.

use std::fmt::Write as _;

use serde::Serialize;

/// On which side of the target it is well.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
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
    /// The target is met, what was hoped for beyond it is not.
    AimMissed,
    Missed,
    /// Something that it is compared with was not there.
    NotMeasured,
}

/// One target.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mark {
    /// What is compared.
    pub(crate) what: &'static str,
    /// The gateway's own figure, for reading.
    pub(crate) gateway: String,
    /// What it is compared with, for reading.
    pub(crate) beside: String,
    /// What counts, `None` where it could not be measured.
    pub(crate) measured: Option<f64>,
    pub(crate) bound: Bound,
    /// On the same side as the bound, and farther.
    pub(crate) aim: Option<f64>,
}

impl Mark {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.measured {
            None => Verdict::NotMeasured,
            Some(measured) if !self.bound.holds(measured) => Verdict::Missed,
            Some(measured) if self.aim.is_some_and(|aim| !self.bound.with(aim).holds(measured)) => Verdict::AimMissed,
            Some(_) => Verdict::Met,
        }
    }

    fn line(&self) -> String {
        let target = match self.aim {
            Some(aim) => format!("{}, aim {}", self.bound.text(), number(aim)),
            None => self.bound.text(),
        };
        let met = match self.verdict() {
            Verdict::Met => "yes",
            Verdict::AimMissed => "yes, not the aim",
            Verdict::Missed => "**no**",
            Verdict::NotMeasured => "not measured",
        };
        let measured = self.measured.map_or_else(|| "–".to_owned(), number);
        let Self {
            what, gateway, beside, ..
        } = self;
        format!("| {what} | {gateway} | {beside} | {measured} | {target} | {met} |")
    }
}

/// The table, as Markdown.
pub(crate) fn table(marks: &[Mark]) -> String {
    let head = "| | gateway | beside it | measured | target | met |\n|---|---|---|---|---|---|";
    marks.iter().fold(head.to_owned(), |mut table, mark| {
        // Writing to a String does not fail.
        let _ = write!(table, "\n{}", mark.line());
        table
    })
}

/// Whole numbers as such, others with as many digits as matter.
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
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(measured: impl Into<Option<f64>>, bound: Bound, aim: Option<f64>) -> Mark {
        Mark {
            what: "speed",
            gateway: "3".to_owned(),
            beside: "10".to_owned(),
            measured: measured.into(),
            bound,
            aim,
        }
    }

    #[test]
    fn a_target_is_met_on_its_own_side_and_on_the_line() {
        let at_least = Bound::AtLeast(0.3);
        assert_eq!(mark(0.3, at_least, None).verdict(), Verdict::Met);
        assert_eq!(mark(0.29, at_least, None).verdict(), Verdict::Missed);
        let at_most = Bound::AtMost(3.0);
        assert_eq!(mark(3.0, at_most, None).verdict(), Verdict::Met);
        assert_eq!(mark(3.1, at_most, None).verdict(), Verdict::Missed);
        assert_eq!(mark(f64::NAN, at_most, None).verdict(), Verdict::Missed);
        assert_eq!(mark(None, at_most, None).verdict(), Verdict::NotMeasured);
    }

    #[test]
    fn an_aim_lies_beyond_its_target() {
        assert_eq!(mark(0.4, Bound::AtLeast(0.3), Some(0.45)).verdict(), Verdict::AimMissed);
        assert_eq!(mark(0.5, Bound::AtLeast(0.3), Some(0.45)).verdict(), Verdict::Met);
        assert_eq!(mark(2.5, Bound::AtMost(3.0), Some(2.0)).verdict(), Verdict::AimMissed);
        assert_eq!(mark(1.5, Bound::AtMost(3.0), Some(2.0)).verdict(), Verdict::Met);
    }

    #[test]
    fn the_table_has_a_line_for_each_mark() {
        let marks = [
            mark(0.312, Bound::AtLeast(0.3), Some(0.45)),
            mark(None, Bound::AtMost(5.0), None),
        ];
        let table = table(&marks);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| speed | 3 | 10 | 0.31 | ≥ 0.30, aim 0.45 | yes, not the aim |",
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
