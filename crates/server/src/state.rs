//! The state that all handlers share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, Uri};
use client::Clients;
use dbt_routes::GraphqlLimits;
use ipnet::IpNet;
use model::{Clock, TraceContext};
use tracing::Span;

use crate::addresses::AddressLimits;
use crate::limits::Limits;
use crate::metrics::ServerMetrics;

/// The server's settings.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The public address, for absolute links; `None`: `http` and the request's `Host`.
    pub public_url: Option<Uri>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// The limits of GraphQL documents.
    pub graphql: GraphqlLimits,
    /// The proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The pause between two heartbeats of an event stream.
    pub event_heartbeat: Duration,
    /// The origins whose pages may call the gateway; `*` for all.
    pub cors_origins: Vec<HeaderValue>,
}

/// The shared state.
pub(crate) type Shared = Arc<ServerState>;

/// The state that all handlers share.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// Authenticates callers.
    pub clients: Clients,
    /// Stamps requests.
    pub clock: Arc<dyn Clock>,
    /// Limits on callers.
    pub limits: Arc<Limits>,
    /// Limits on callers' addresses.
    pub addresses: Arc<AddressLimits>,
    /// Metrics.
    pub metrics: Arc<ServerMetrics>,
    /// Observes the spans of requests, if set.
    pub spans: Option<Arc<dyn RequestSpans>>,
    /// The settings.
    pub settings: Arc<ServerSettings>,
    /// Whether shutdown has started.
    pub shutdown: Shutdown,
}

/// Whether shutdown has started. Requests are still answered, with `Connection: close`.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// Marks shutdown as started.
    pub fn start(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether shutdown has started.
    pub fn has_started(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Observes the spans of requests, for their export.
pub trait RequestSpans: fmt::Debug + Send + Sync {
    /// A request's span was created and is not entered yet; its caller may have sent a trace context.
    fn started(&self, span: &Span, caller: Option<&TraceContext>);

    /// The request was answered.
    fn answered(&self, span: &Span, status: StatusCode);
}
