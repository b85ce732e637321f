//! The layer that enforces the process's limits and writes the body of every problem: of a limit, a handler or a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use model::RequestStamp;
use uuid::Uuid;

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
        let answer = state.limits.check_head(&request).map(|()| inner.call(request));
        Box::pin(async move {
            let mut response = match answer {
                Ok(answer) => match AssertUnwindSafe(answer).catch_unwind().await {
                    Ok(answer) => answer?,
                    Err(_) => Problem::panicked().into_response(),
                },
                Err(refusal) => refusal.into_response(),
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
