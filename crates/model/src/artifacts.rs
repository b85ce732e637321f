//! Artifacts: the files that a run produces.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The path of an artifact below `target/`, as dbt Cloud lists it: `run_results.json`, `compiled/shop/orders.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactPath(String);

/// The text is not a path of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an artifact's path has 1 to {} characters, no empty segment, no `.` or `..` and no control character or backslash",
    ArtifactPath::MAX_CHARS
)]
pub struct InvalidArtifactPath;

impl ArtifactPath {
    /// The longest path, in characters.
    pub const MAX_CHARS: usize = 1024;
    /// The rule as a regular expression, but for the length.
    pub const PATTERN: &str = concat!(
        r"^(\.{0,2}[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.{3}[^/\\\x00-\x1f\x7f-\x9f]*)",
        r"(/(\.{0,2}[^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.{3}[^/\\\x00-\x1f\x7f-\x9f]*))*$",
    );

    /// # Errors
    /// [`InvalidArtifactPath`], for instance if normalising the path would change it.
    pub fn new(path: &str) -> Result<Self, InvalidArtifactPath> {
        let odd = |character: char| character.is_control() || character == '\\';
        let is_plain = !path.contains(odd) && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if is_plain && path.chars().count() <= Self::MAX_CHARS {
            Ok(Self(path.to_owned()))
        } else {
            Err(InvalidArtifactPath)
        }
    }

    /// The path, not percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ArtifactPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Selects the step of a run whose artifacts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactStep {
    /// The step with that number, from 1 to [`ArtifactStep::MAX`].
    Index(u32),
    /// The last step whose command executes nodes (runs, tests, seeds or snapshots).
    Results,
}

/// The text does not select a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a step is a number from 1 to {}, or `results`", ArtifactStep::MAX)]
pub struct InvalidArtifactStep;

impl ArtifactStep {
    /// The largest number of a step. Runs have some dozens.
    pub const MAX: u32 = 9999;
}

const RESULTS: &str = "results";

impl FromStr for ArtifactStep {
    type Err = InvalidArtifactStep;

    fn from_str(text: &str) -> Result<Self, InvalidArtifactStep> {
        // Without a sign, without zeros in front.
        let is_plain = text.starts_with(|first| ('1'..='9').contains(&first));
        match text.parse() {
            Ok(index) if is_plain && index <= Self::MAX => Ok(Self::Index(index)),
            Err(_) if text == RESULTS => Ok(Self::Results),
            _ => Err(InvalidArtifactStep),
        }
    }
}

impl Serialize for ArtifactStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Index(index) => serializer.serialize_u32(*index),
            Self::Results => serializer.serialize_str(RESULTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_number_from_one_or_results() {
        for (text, spelling) in [("1", "1"), ("9999", "9999"), ("results", "\"results\"")] {
            let step: ArtifactStep = text.parse().unwrap();
            assert_eq!(serde_json::to_string(&step).unwrap(), spelling);
        }
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "01",
            "10000",
            "4294967297",
            "last",
            "Results",
            " 1",
        ] {
            assert_eq!(bad.parse::<ArtifactStep>(), Err(InvalidArtifactStep), "{bad:?}");
        }
    }

    #[test]
    fn paths_that_normalising_would_change_are_refused() {
        let long = "ö".repeat(1025);
        for bad in ["", "/", "a//b", "/a", "a/", ".", "a/../b", "a/.", "a\\b", "a\nb", &long] {
            assert_eq!(ArtifactPath::new(bad), Err(InvalidArtifactPath), "{bad:?}");
        }
        for good in [
            "manifest.json",
            "compiled/shop/ö rders?.sql",
            "...",
            "a/..b/%2e%2e",
            &long["ö".len()..],
        ] {
            assert_eq!(ArtifactPath::new(good).unwrap().as_str(), good);
        }
    }
}
