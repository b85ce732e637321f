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

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tower::util::option_layer;

use crate::edge::{Edge, Problems};
use crate::state::Shared;

/// Everything that is served, with the request's edge around it.
pub fn router(state: ServerState) -> Router {
    let state = Shared::new(state);
    let (routes, document) = openapi::routes();
    let origins = &state.settings.cors_origins;
    routes
        .merge(explorer::routes(document))
        .merge(relay::routes())
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // From the outside in.
        .layer((
            Edge(Arc::clone(&state)),
            // Around the problems, so that a page may read them; within the edge, which names a preflight's answer as
            // well. Without origins it is left out, since it answers every OPTIONS itself.
            option_layer((!origins.is_empty()).then(|| browser::cors(origins))),
            Problems(Arc::clone(&state)),
            DefaultBodyLimit::max(state.settings.max_body_bytes),
        ))
        .with_state(state)
}
