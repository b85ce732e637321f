//! Floor 4: what is seen from outside. Routes, extractors, problems, OpenAPI.
//!
//! Handlers talk to `DbtClient` alone: no SQL, no calls to dbt Cloud, no rights are decided here.

mod browser;
mod edge;
mod explorer;
mod extract;
mod forwarded;
mod limits;
mod openapi;
mod page_links;
mod problem;
mod routes;
mod state;
mod views;

pub use limits::{LimitSettings, Limits};
pub use openapi::document;
pub use problem::Problem;
pub use state::{ServerSettings, ServerState};

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};

/// Everything that is served, with the request's edge around it.
pub fn router(state: ServerState) -> Router {
    let (routes, document) = openapi::routes().split_for_parts();
    routes
        .merge(explorer::routes(document))
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(state.settings.max_body_bytes))
        .layer(middleware::from_fn_with_state(state.clone(), edge::edge))
        // Outside of the edge, which writes answers anew and would lose its headers.
        .layer(browser::cors(&state.settings.cors_origins))
        .with_state(state)
}
