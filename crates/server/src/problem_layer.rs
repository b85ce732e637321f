//! The layer that enforces the process's limits and writes the body of every problem: of a limit, a handler or a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use model::RequestStamp;
use uuid::Uuid;

use crate::addresses::{AddressGroup, AddressPlace};
use crate::arriving_body;
use crate::forwarded::CallerAddress;
use crate::middleware::{Inner, Middleware, ResponseFuture};
use crate::problem::Problem;
use crate::relay::{Arrival, Envelope};
use crate::state::Shared;

/// Inside [`Edge`](crate::edge::Edge), which stamps the request.
#[derive(Debug, Clone)]
pub(crate) struct Problems(pub(crate) Shared);

impl Middleware for Problems {
    fn handle(&self, request: Request, inner: &mut impl Inner) -> ResponseFuture {
        let state = Arc::clone(&self.0);
        let path = request.uri().clone();
        let request_uuid = request
            .extensions()
            .get::<RequestStamp>()
            .map_or_else(Uuid::nil, RequestStamp::request_uuid);
        let envelope = Envelope::of(path.path(), request.extensions().get::<Arrival>().is_some());
        let begun = admit(&state, &request).map(|address| {
            // Nearly all requests have no body: nothing is cloned for them.
            let begun = if arriving_body::is_expected(&request) {
                Begun::Receives(Box::new(request), inner.clone())
            } else {
                Begun::Called(inner.call(request))
            };
            (address, begun)
        });
        Box::pin(async move {
            let answer = async {
                let (_address, begun) = begun?;
                match begun {
                    Begun::Called(answer) => Ok(answer.await),
                    Begun::Receives(request, mut inner) => {
                        let request = arriving_body::received(*request, &state).await?;
                        Ok(inner.call(request).await)
                    }
                }
            };
            let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(Ok(answer)) => answer?,
                Ok(Err(refusal)) => Problem::into_response(refusal),
                Err(_) => Problem::panicked().into_response(),
            };
            Ok(match response.extensions_mut().remove::<Problem>() {
                Some(problem) => {
                    state.metrics.problem(&problem);
                    response_of(&problem.of_request(path.path(), request_uuid), envelope)
                }
                None => response,
            })
        })
    }
}

/// A request on its way to its handler.
enum Begun<F, I> {
    Called(F),
    /// Its body is still to be read.
    Receives(Box<Request>, I),
}

/// Checks the head, and counts the request of a caller behind a proxy, whose connections are the proxy's.
fn admit(state: &Shared, request: &Request) -> Result<Option<AddressPlace>, Problem> {
    state.limits.check_head(request)?;
    let trusted = &state.settings.trusted_proxies;
    if trusted.is_empty() || is_probe(request) {
        return Ok(None);
    }
    match CallerAddress::of(request.extensions(), request.headers(), trusted) {
        Some(CallerAddress::Forwarded(address)) => state.addresses.enter(AddressGroup::of(address)).map(Some),
        Some(CallerAddress::Direct(_)) | None => Ok(None),
    }
}

/// Whether it is a health check, which takes no place: a full gateway is in good health.
fn is_probe(request: &Request) -> bool {
    ["/healthz", "/readyz"].contains(&request.uri().path())
}

/// The answer. A problem that a person must act on is logged here, once: 5xx, which includes refused credentials. A panic
/// has been logged already.
fn response_of(problem: &Problem, envelope: Envelope) -> Response {
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
    if status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
