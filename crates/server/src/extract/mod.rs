//! Extractors: what comes in, checked. Bad input becomes a [`crate::Problem`] here, before a handler runs.

mod authenticated;
mod commas;
mod input;
mod moment;

pub(crate) use authenticated::Dbt;
pub(crate) use commas::{DeploymentType, OfLists, OfOne, Text, commas};
pub(crate) use input::{Id, IdAndArtifact, JsonBody, Name, NamedUuid, NoQuery, QueryParams};
pub(crate) use moment::Moment;

/// As much of what came in as an answer repeats.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
