//! What every handler can reach.

use std::sync::Arc;

use axum::http::Uri;
use client::Clients;
use model::Clock;

/// The server's settings.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address callers see, for absolute links; `None`: `http` and the request's `Host`.
    pub public_url: Option<Uri>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
}

/// Shared by all requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// Authenticates callers.
    pub clients: Clients,
    /// Stamps requests.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Arc<ServerSettings>,
}
