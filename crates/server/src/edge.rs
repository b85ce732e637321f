//! The edge: the stamp and the span of a request on the way in, its id and its log line on the way out.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use model::{CallerRequestId, Clock, Held, RequestStamp, ServedFrom, Source, Surface, TRACEPARENT, TraceContext};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::browser;
use crate::extract::request_timeout;
use crate::headers::{REQUEST_ID, X_CACHE, is_hop_by_hop};
use crate::metrics;
use crate::middleware::{Inner, Middleware, ResponseFuture};
use crate::relay::Arrival;
use crate::state::{ServerState, Shared};

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// The outermost layer: stamps the request, opens its span, sets the headers of every answer, and logs it.
#[derive(Debug, Clone)]
pub(crate) struct Edge(pub(crate) Shared);

impl Middleware for Edge {
    fn handle(&self, mut request: Request, inner: &mut impl Inner) -> ResponseFuture {
        let state = Arc::clone(&self.0);
        let stamp = stamp(&*state.clock, &mut request);
        let method = metrics::method(request.method());
        let span = span(&state, &stamp, request.method());
        let response = inner.call(request);
        let answer = async move {
            let mut response = response.await?;
            if state.shutdown.has_started() {
                response.headers_mut().insert(header::CONNECTION, CLOSE);
            }
            let id = header_value(&stamp.request_uuid());
            response.headers_mut().insert(REQUEST_ID, id);
            browser::harden(response.headers_mut());
            if let Some(source) = stamp.served.shown() {
                source_headers(source, response.headers_mut());
            }
            if !stamp.held.is_empty() {
                let held = stamp.held.clone();
                response = response.map(|body| Body::new(Holding { body, _held: held }));
            }
            let (status, duration) = (response.status(), stamp.elapsed());
            state
                .metrics
                .answered(stamp.template.as_ref(), method, status, duration);
            tracing::info!(
                http.response.status_code = status.as_u16(),
                duration_ms = duration.as_secs_f64() * 1000.0,
                "answered"
            );
            if let Some(spans) = &state.spans {
                spans.answered(&Span::current(), status);
            }
            Ok(response)
        };
        Box::pin(answer.instrument(span))
    }
}

/// A body, with what its request holds until it is written.
struct Holding {
    body: Body,
    _held: Held,
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Stamps the request with its surface, its route and its trace.
fn stamp(clock: &dyn Clock, request: &mut Request) -> RequestStamp {
    let arrival = Arrival::of(request.method(), request.uri().path());
    let surface = if arrival.is_some() { Surface::Dbt } else { Surface::Rest };
    let mut stamp = RequestStamp::now(clock, surface, caller_request_id(request.headers()));
    stamp.template = match &arrival {
        Some(arrival) => arrival.template().map(Into::into),
        None => request
            .extensions()
            .get::<MatchedPath>()
            // The router's `{*path}` is the document's `{path}`.
            .map(|path| path.as_str().replace("{*", "{").into()),
    };
    stamp.trace = trace(request.headers());
    stamp.wants_new = wants_new(request.headers());
    // An invalid value is refused once the caller is known.
    stamp.timeout = request_timeout(request.headers()).unwrap_or_default();
    if let Some(arrival) = arrival {
        request.extensions_mut().insert(arrival);
    }
    request.extensions_mut().insert(stamp.clone());
    stamp
}

fn span(state: &ServerState, stamp: &RequestStamp, method: &Method) -> Span {
    // The highest level, so that every log line of the request has its id, whatever levels are logged.
    let span = tracing::error_span!(
        "http.request",
        otel.kind = state.spans.is_some().then_some("server"),
        request.uuid = %stamp.request_uuid(),
        http.request.method = %method,
        http.route = stamp.template.as_deref().unwrap_or("none"),
        // The gate fills these in.
        request.r#type = tracing::field::Empty,
        company.id = tracing::field::Empty,
    );
    if let Some(spans) = &state.spans {
        spans.started(&span, stamp.trace.as_deref());
    }
    span
}

/// The caller's trace context, unless `Connection` names it.
fn trace(headers: &HeaderMap) -> Option<Arc<TraceContext>> {
    let trace = TraceContext::of(headers)?;
    (!is_hop_by_hop(headers, &TRACEPARENT)).then(|| Arc::new(trace))
}

/// Whether the caller wants no kept answer.
fn wants_new(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter();
    let mut directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    directives.any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

/// Says where the answer is from.
fn source_headers(source: Source, headers: &mut HeaderMap) {
    let spelling = match source.from {
        ServedFrom::Dbt => "miss",
        ServedFrom::Coalesced => "coalesced",
        ServedFrom::Cache => "hit",
        ServedFrom::Stale => "stale",
    };
    headers.insert(X_CACHE, HeaderValue::from_static(spelling));
    if source.from == ServedFrom::Dbt {
        return;
    }
    headers.insert(header::AGE, HeaderValue::from(source.age.as_secs()));
}

fn caller_request_id(headers: &HeaderMap) -> Option<CallerRequestId> {
    CallerRequestId::new(headers.get(REQUEST_ID)?.to_str().ok()?)
}

fn header_value(uuid: &Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(uuid.as_hyphenated().encode_lower(&mut text)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
