//! Trace context of requests: received from callers, sent to dbt Cloud.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderValue, StatusCode};
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::{TRACEPARENT, TRACESTATE, TraceContext, Upstream};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt as _, TraceFlags, TraceState};
use server::RequestSpans;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Links a request's span to its caller's trace and records the answer's status.
#[derive(Debug)]
pub(crate) struct TraceLinker;

impl RequestSpans for TraceLinker {
    fn started(&self, span: &Span, caller: Option<&TraceContext>) {
        let Some(caller) = caller else {
            return;
        };
        let state: Option<TraceState> = caller.state().and_then(|state| state.parse().ok());
        let parent = SpanContext::new(
            caller.trace_id().into(),
            caller.span_id().into(),
            TraceFlags::default().with_sampled(caller.is_sampled()),
            true,
            state.unwrap_or_default(),
        );
        // Fails only for a disabled span.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }

    fn answered(&self, span: &Span, status: StatusCode) {
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

/// Adds trace headers to each request to dbt Cloud, and the request's attributes to its span.
pub(crate) struct TracedApi(pub(crate) Arc<dyn WrappedApi>);

#[async_trait]
impl WrappedApi for TracedApi {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let request = traced(&Span::current(), to, request);
        self.0.send(to, request).await
    }

    fn limits(&self) -> CollectLimits {
        self.0.limits()
    }
}

fn traced(span: &Span, to: &Upstream, request: ApiRequest) -> ApiRequest {
    let base = to.base_url(request.api());
    span.set_attribute("http.request.method", request.method().as_str().to_owned());
    span.set_attribute("server.address", base.host_str().unwrap_or_default().to_owned());
    if let Some(port) = base.port_or_known_default() {
        span.set_attribute("server.port", i64::from(port));
    }
    let context = span.context();
    let span = context.span();
    let ids = span.span_context();
    if !ids.is_valid() {
        return request;
    }
    let sampled = u8::from(ids.is_sampled());
    let parent = format!("00-{}-{}-{sampled:02x}", ids.trace_id(), ids.span_id());
    let state = ids.trace_state().header();
    let request = match HeaderValue::try_from(parent) {
        Ok(parent) => request.header(TRACEPARENT, parent),
        Err(_) => request,
    };
    match HeaderValue::try_from(state) {
        Ok(state) if !state.is_empty() => request.header(TRACESTATE, state),
        _ => request,
    }
}
