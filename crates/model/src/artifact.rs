//! Artifacts: the files that a run leaves behind.

use std::fmt;

use serde::{Serialize, Serializer};

/// The path of an artifact below `target/`, as dbt Cloud lists it: `run_results.json`, `compiled/shop/orders.sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactPath(String);

/// A text that is no path of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an artifact's path has 1 to {} bytes, no empty segment, no `.` or `..` and no control character or backslash",
    ArtifactPath::MAX_BYTES
)]
pub struct NoArtifactPath;

impl ArtifactPath {
    /// The longest path that is asked for, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// # Errors
    /// [`NoArtifactPath`]: a path that leads elsewhere when it is folded is none.
    pub fn new(path: &str) -> Result<Self, NoArtifactPath> {
        let odd = |character: char| character.is_control() || character == '\\';
        let is_plain = !path.contains(odd) && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if is_plain && path.len() <= Self::MAX_BYTES {
            Ok(Self(path.to_owned()))
        } else {
            Err(NoArtifactPath)
        }
    }

    /// The path, not encoded.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        let long = "a".repeat(1025);
        for bad in ["", "/", "a//b", "/a", "a/", ".", "a/../b", "a/.", "a\\b", "a\nb", &long] {
            assert_eq!(ArtifactPath::new(bad), Err(NoArtifactPath), "{bad:?}");
        }
        for good in [
            "manifest.json",
            "compiled/shop/ö rders?.sql",
            "...",
            "a/..b/%2e%2e",
            &long[1..],
        ] {
            assert_eq!(ArtifactPath::new(good).unwrap().as_str(), good);
        }
    }
}
