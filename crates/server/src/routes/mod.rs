//! The REST routes, one file or folder a resource.

mod accounts;
mod api_keys;
mod artifacts;
mod credentials;
mod environments;
mod graphql;
mod health;
mod jobs;
pub(crate) mod metrics;
mod projects;
mod request_logs;
mod runs;
mod started;

use utoipa_axum::router::OpenApiRouter;

use crate::state::Shared;
use started::Started;

/// The routes of all resources, in the order of the OpenAPI document.
pub(crate) fn all() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(projects::routes())
        .merge(environments::routes())
        .merge(jobs::routes())
        .merge(runs::routes())
        .merge(artifacts::routes())
        .merge(graphql::routes())
        .merge(credentials::routes())
        .merge(api_keys::routes())
        .merge(request_logs::routes())
        .merge(metrics::routes())
        .merge(health::routes())
}
