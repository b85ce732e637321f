//! Layer 4: the outside surfaces. Routes, extractors, problems, OpenAPI.
//!
//! Handlers call `DbtClient` alone: no SQL, no calls to dbt Cloud, no access decisions here.

// The examples of the larger views are long.
#![recursion_limit = "256"]

mod addresses;
mod arriving_body;
mod browser;
mod edge;
mod explorer;
mod extract;
mod forwarded;
mod headers;
mod json;
mod limits;
mod list;
mod metrics;
mod middleware;
mod openapi;
mod page_links;
mod problem;
mod problem_layer;
mod relay;
mod roles;
mod routes;
mod state;
mod streamed;
mod words;

pub use addresses::{AddressGroup, AddressLimitSettings, AddressLimits};
pub use dbt_routes::GraphqlLimits;
pub use limits::{LimitSettings, Limits};
pub use metrics::ServerMetrics;
pub use openapi::{document, document_text};
pub use problem::Problem;
pub use roles::roles_table;
pub use routes::health::health_router;
pub use state::{RequestSpans, ServerSettings, ServerState, Shutdown};

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tower::util::option_layer;

use crate::edge::Edge;
use crate::middleware::Layer;
use crate::problem_layer::Problems;
use crate::state::Shared;

/// Every route, with the layers around them.
pub fn router(state: ServerState) -> Router {
    let state = Shared::new(state);
    let (routes, document) = openapi::routes();
    let origins = &state.settings.cors_origins;
    routes
        .merge(explorer::routes(document))
        .merge(relay::routes())
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // From the outermost to the innermost.
        .layer((
            Layer(Edge(Arc::clone(&state))),
            // Around the problems, so that a page may read them; inside the edge, which sets the id of a preflight's answer
            // too. Left out without origins, since it answers every OPTIONS itself.
            option_layer((!origins.is_empty()).then(|| browser::cors(origins))),
            Layer(Problems(Arc::clone(&state))),
            DefaultBodyLimit::max(state.settings.max_body_bytes),
        ))
        .with_state(state)
}
