//! Floor 4: what is seen from outside. Routes, extractors, problems, OpenAPI.
//!
//! Handlers talk to `DbtClient` alone: no SQL, no calls to dbt Cloud, no rights are decided here.

// The examples of the larger views are long.
#![recursion_limit = "256"]

mod browser;
mod documented_answers;
mod edge;
mod explorer;
mod extract;
mod forwarded;
mod graphql_document;
mod json;
mod limits;
mod metrics;
mod openapi;
mod page_links;
mod problem;
mod relay;
mod roles;
mod routes;
mod state;
mod streamed;
mod views;

pub use graphql_document::GraphqlLimits;
pub use limits::{LimitSettings, Limits};
pub use metrics::ServerMetrics;
pub use openapi::document;
pub use problem::Problem;
pub use roles::roles_table;
pub use routes::metrics::metrics_router;
pub use state::{RequestSpans, ServerSettings, ServerState, Stopping};

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};

use crate::state::Shared;

/// Everything that is served, with the request's edge around it.
pub fn router(state: ServerState) -> Router {
    let state = Shared::new(state);
    let (routes, document) = openapi::routes();
    let routes = routes
        .merge(explorer::routes(document))
        .merge(relay::routes())
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(state.settings.max_body_bytes))
        .layer(middleware::from_fn_with_state(state.clone(), edge::problems));
    let origins = &state.settings.cors_origins;
    // Around the problems, so that a page may read them; within the edge, which names a preflight's answer as well.
    // Without origins it is left out, since it answers every OPTIONS itself.
    let routes = if origins.is_empty() {
        routes
    } else {
        routes.layer(browser::cors(origins))
    };
    routes
        .layer(middleware::from_fn_with_state(state.clone(), edge::edge))
        .with_state(state)
}
