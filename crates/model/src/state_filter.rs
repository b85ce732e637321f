//! The filter that all lists of definitions have in common.

use serde::{Deserialize, Serialize};

/// Which entries of a list, by soft deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateFilter {
    /// Only active ones; dbt Cloud's default.
    Active,
    /// Only deleted ones.
    Deleted,
    /// Both.
    All,
}

impl StateFilter {
    /// dbt Cloud's spelling, which is ours as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::All => "all",
        }
    }
}
