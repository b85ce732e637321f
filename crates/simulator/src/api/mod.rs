//! dbt Cloud's administrative API, one file a resource. Handlers read the call, change the world, choose a shape of
//! answer; the table of all operations is put together here.

pub(crate) mod accounts;
mod artifacts;
mod audit_logs;
pub(crate) mod connections;
mod credentials;
mod env_vars;
pub(crate) mod environments;
pub(crate) mod fields;
mod groups;
pub(crate) mod jobs;
mod notifications;
pub(crate) mod projects;
pub(crate) mod repositories;
pub(crate) mod resource;
mod retry;
mod runs;
mod steps;
mod tokens;
pub(crate) mod trigger;
mod user_credentials;
mod users;
mod webhooks;

use crate::routing::Route;

/// Every operation of the administrative API that is served.
pub(crate) fn routes() -> impl Iterator<Item = Route> {
    [
        accounts::ROUTES,
        artifacts::ROUTES,
        audit_logs::ROUTES,
        connections::ROUTES,
        credentials::ROUTES,
        env_vars::ROUTES,
        environments::ROUTES,
        groups::ROUTES,
        jobs::ROUTES,
        notifications::ROUTES,
        projects::ROUTES,
        repositories::ROUTES,
        retry::ROUTES,
        runs::ROUTES,
        steps::ROUTES,
        tokens::ROUTES,
        trigger::ROUTES,
        user_credentials::ROUTES,
        users::ROUTES,
        webhooks::ROUTES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
