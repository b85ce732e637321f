//! Extractors: what comes in, checked. Bad input becomes a [`crate::Problem`] here, before a handler runs.

mod authenticated;
mod input;

pub(crate) use authenticated::Dbt;
pub(crate) use input::{Id, JsonBody, Name, NamedUuid, NoQuery, QueryParams};
