//! The edge of a request: its stamp on the way in; its name, its problem body and its log line on the way out.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use model::{CallerRequestId, Clock, RequestStamp, Surface, TRACEPARENT, TraceContext};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::browser;
use crate::metrics;
use crate::problem::Problem;
use crate::relay::{Arrival, Envelope, is_for_this_connection};
use crate::state::{ServerState, Shared};

/// The header that carries a request's name.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What goes around every route, those that do not exist included, and around what is answered before one is reached.
#[derive(Debug, Clone)]
pub(crate) struct Edge(pub(crate) Shared);

/// Lets through what is within the limits, and writes the body of every problem: of a limit, a handler or a panic.
/// Within [`Edge`], which stamps the request.
#[derive(Debug, Clone)]
pub(crate) struct Problems(pub(crate) Shared);

/// [`Edge`] or [`Problems`] around a service. Services of their own and no `from_fn`: that one clones and boxes what is
/// within for each request.
#[derive(Debug, Clone)]
pub(crate) struct Around<L, S> {
    layer: L,
    inner: S,
}

impl<S> Layer<S> for Edge {
    type Service = Around<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        Around { layer, inner }
    }
}

impl<S> Layer<S> for Problems {
    type Service = Around<Self, S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        Around { layer, inner }
    }
}

/// What is done around a request.
pub(crate) trait Step {
    /// Answers it, `within` having its say.
    fn around(&self, request: Request, within: &mut impl Within) -> Answering;
}

type Answering = BoxFuture<'static, Result<Response, Infallible>>;

/// What a step goes around.
pub(crate) trait Within:
    Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
{
}

impl<S> Within for S where S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> {}

impl<L: Step, S: Within> Service<Request> for Around<L, S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.layer.around(request, &mut self.inner)
    }
}

impl Step for Edge {
    fn around(&self, mut request: Request, within: &mut impl Within) -> Answering {
        let state = Arc::clone(&self.0);
        let stamp = stamp(&*state.clock, &mut request);
        let method = metrics::method(request.method());
        let span = span(&state, &stamp, request.method());
        let answer = within.call(request);
        let answering = async move {
            let mut response = answer.await?;
            if state.stopping.has_begun() {
                response.headers_mut().insert(header::CONNECTION, CLOSE);
            }
            let name = header_value(&stamp.request_uuid());
            response.headers_mut().insert(REQUEST_ID, name);
            browser::harden(response.headers_mut());
            let (status, took) = (response.status(), stamp.elapsed());
            state.metrics.answered(stamp.template.as_ref(), method, status, took);
            tracing::info!(
                http.response.status_code = status.as_u16(),
                duration_ms = took.as_secs_f64() * 1000.0,
                "answered"
            );
            if let Some(spans) = &state.spans {
                spans.answered(&Span::current(), status);
            }
            Ok(response)
        };
        Box::pin(answering.instrument(span))
    }
}

impl Step for Problems {
    fn around(&self, request: Request, within: &mut impl Within) -> Answering {
        let state = Arc::clone(&self.0);
        let path = request.uri().clone();
        let request_uuid = request
            .extensions()
            .get::<RequestStamp>()
            .map_or_else(Uuid::nil, RequestStamp::request_uuid);
        let envelope = Envelope::of(path.path(), request.extensions().get::<Arrival>().is_some());
        let place = state.limits.fits(&request).and_then(|()| state.limits.enter());
        let answer = place.map(|place| (place, within.call(request)));
        Box::pin(async move {
            let mut response = match answer {
                Ok((_place, answer)) => match AssertUnwindSafe(answer).catch_unwind().await {
                    Ok(answer) => answer?,
                    Err(_) => Problem::panicked().into_response(),
                },
                Err(refused) => refused.into_response(),
            };
            Ok(match response.extensions_mut().remove::<Problem>() {
                Some(problem) => {
                    state.metrics.problem(&problem);
                    written(&problem.of_request(path.path(), request_uuid), envelope)
                }
                None => response,
            })
        })
    }
}

/// Stamps the request, and says to which surface it came.
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
    if let Some(arrival) = arrival {
        request.extensions_mut().insert(arrival);
    }
    request.extensions_mut().insert(stamp.clone());
    stamp
}

fn span(state: &ServerState, stamp: &RequestStamp, method: &Method) -> Span {
    // Of the highest level, so that every line of the request has its name, whatever levels are logged.
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
        spans.begun(&span, stamp.trace.as_deref());
    }
    span
}

/// The problem as an answer. What a person must act on is logged here, once: 5xx, refused credentials among them. A
/// panic has been logged where it happened.
fn written(problem: &Problem, envelope: Envelope) -> Response {
    let status = problem.status();
    if status.is_server_error() && !problem.is_logged {
        tracing::error!(
            request.uuid = %problem.request_uuid(),
            http.response.status_code = status.as_u16(),
            cause = problem.cause.as_deref().unwrap_or("-"),
            "{}", problem.title()
        );
    }
    let (media_type, body) = envelope.write(problem);
    let mut response = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
    if let Some(wait) = problem.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    if status == axum::http::StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The caller's trace; one that `Connection` names was meant for us.
fn trace(headers: &HeaderMap) -> Option<Arc<TraceContext>> {
    let trace = TraceContext::of(headers)?;
    (!is_for_this_connection(headers, &TRACEPARENT)).then(|| Arc::new(trace))
}

fn caller_request_id(headers: &HeaderMap) -> Option<CallerRequestId> {
    CallerRequestId::new(headers.get(REQUEST_ID)?.to_str().ok()?)
}

fn header_value(uuid: &Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    HeaderValue::from_str(uuid.as_hyphenated().encode_lower(&mut text)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
