//! What every handler can reach.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderValue, StatusCode, Uri};
use client::Clients;
use ipnet::IpNet;
use model::{Clock, TraceContext};
use tracing::Span;

use crate::graphql_document::GraphqlLimits;
use crate::limits::Limits;
use crate::metrics::ServerMetrics;

/// The server's settings.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address callers see, for absolute links; `None`: `http` and the request's `Host`.
    pub public_url: Option<Uri>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// What bounds GraphQL documents.
    pub graphql: GraphqlLimits,
    /// The proxies in front whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The origins whose pages may call us; `*` for all.
    pub cors_origins: Vec<HeaderValue>,
}

/// The one that all requests share.
pub(crate) type Shared = Arc<ServerState>;

/// What every handler can reach.
#[derive(Debug, Clone)]
pub struct ServerState {
    /// Authenticates callers.
    pub clients: Clients,
    /// Stamps requests.
    pub clock: Arc<dyn Clock>,
    /// How much callers may ask.
    pub limits: Arc<Limits>,
    /// What is counted.
    pub metrics: Arc<ServerMetrics>,
    /// What follows the spans of requests; `None`: nothing does.
    pub spans: Option<Arc<dyn RequestSpans>>,
    /// The settings.
    pub settings: Arc<ServerSettings>,
    /// Whether the process is about to end.
    pub stopping: Stopping,
}

/// Whether the process is about to end. It still answers what comes, and asks callers to go elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// From now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Follows the spans of requests. How they leave the process is not this floor's matter.
pub trait RequestSpans: fmt::Debug + Send + Sync {
    /// A request's span is made, not entered yet; its caller may have named a trace.
    fn begun(&self, span: &Span, caller: Option<&TraceContext>);

    /// The request is answered.
    fn answered(&self, span: &Span, status: StatusCode);
}
