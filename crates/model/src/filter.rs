//! What the filters of lists have in common.

use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// An entry of a list that its id identifies.
pub trait HasId {
    /// The type of the id.
    type Id: Copy + Eq + Hash + Send + 'static;

    /// The id.
    fn id(&self) -> Self::Id;
}

/// A filter of a list of `T`, of which dbt Cloud may not support every part.
pub trait ListFilter<T> {
    /// Whether dbt Cloud supports every part of the filter that is set. If not, the whole list is read and each entry is
    /// tested with [`Self::matches`].
    fn is_supported(&self) -> bool {
        true
    }

    /// Whether the entry passes the unsupported parts of the filter.
    fn matches(&self, _entry: &T) -> bool {
        true
    }
}

/// A list without filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

impl<T> ListFilter<T> for NoFilter {}

/// Filters the entries of a list by soft deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// The spelling of dbt Cloud and of the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::All => "all",
        }
    }
}
