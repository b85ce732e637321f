//! dbt Cloud's administrative API, one file a resource. Each file has the routes of its resource; [`router`] joins them.

pub(crate) mod accounts;
mod artifacts;
mod audit_logs;
pub(crate) mod connections;
mod credentials;
pub(crate) mod env_vars;
pub(crate) mod environments;
mod fields;
mod groups;
pub(crate) mod jobs;
mod notifications;
pub(crate) mod projects;
pub(crate) mod repositories;
mod resource;
mod retry;
mod route;
mod router;
mod run_durations;
mod run_json;
mod runs;
mod start_run;
mod step_json;
mod steps;
mod tokens;
mod trigger;
mod user_credentials;
mod users;
mod webhooks;

use std::sync::LazyLock;

pub(crate) use router::{Found, Router};

/// The router of all simulators in this process.
pub(crate) fn router() -> &'static Router {
    static ROUTER: LazyLock<Router> = LazyLock::new(|| {
        let routes = [
            accounts::routes(),
            artifacts::routes(),
            audit_logs::routes(),
            connections::routes(),
            credentials::routes(),
            env_vars::routes(),
            environments::routes(),
            groups::routes(),
            jobs::routes(),
            notifications::routes(),
            projects::routes(),
            repositories::routes(),
            retry::routes(),
            runs::routes(),
            steps::routes(),
            tokens::routes(),
            trigger::routes(),
            user_credentials::routes(),
            users::routes(),
            webhooks::routes(),
        ];
        Router::new(routes.into_iter().flatten())
    });
    &ROUTER
}
