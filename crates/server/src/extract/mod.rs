//! Extractors: checked input. Bad input becomes a [`crate::Problem`] before a handler runs.

mod authenticated;
mod idempotency;
mod input;
mod moment;
mod query;
mod request_timeout;
mod waiting;

pub(crate) use authenticated::Dbt;
pub(crate) use idempotency::Idempotency;
pub(crate) use input::{Id, IdAndArtifact, JsonBody, Name, NamedUuid};
pub(crate) use moment::Moment;
pub(crate) use query::{ListQuery, NoQuery, PagedQuery, QueryParams, Scope, ScopedQuery, StartQuery};
pub(crate) use request_timeout::request_timeout;
pub(crate) use waiting::timeout;
