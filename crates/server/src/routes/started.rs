//! The answer to a request that starts a run, and to changes that may carry an idempotency key.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use client::StartedAndWaited;
use model::{Repeatable, RunOrigin, StartedRun};

use crate::extract::Scope;
use crate::json::Json;

const RUN_ORIGIN: HeaderName = HeaderName::from_static("x-run-origin");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// 201 with the new run, 200 with one that was active; for a caller that waits 201 with the ended run, 202 when its time is
/// up; with its address, in the account and by the credential of the
/// request, and where it comes from.
#[derive(Debug)]
pub(crate) struct Started {
    run: StartedRun,
    /// Whether the run has ended, where the caller waits for that.
    is_over: Option<bool>,
    location: String,
}

impl Started {
    pub(crate) fn new(StartedAndWaited { started, is_over }: StartedAndWaited, scope: &Scope) -> Self {
        let location = scope.location(&format!("/runs/{}", started.run.id));
        Self {
            run: started,
            is_over,
            location,
        }
    }
}

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let StartedRun {
            run,
            origin,
            replayed_status,
        } = self.run;
        let status = match (self.is_over, replayed_status, origin) {
            (Some(true), ..) | (None, None, RunOrigin::Started | RunOrigin::Resolved | RunOrigin::Replayed) => {
                StatusCode::CREATED
            }
            (Some(false), ..) => StatusCode::ACCEPTED,
            (None, Some(status), _) => StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED),
            (None, None, RunOrigin::Reused) => StatusCode::OK,
        };
        let headers = [
            (header::LOCATION, self.location),
            (RUN_ORIGIN, origin.as_str().to_owned()),
        ];
        replayed(replayed_status.is_some(), (status, headers, Json(run)).into_response())
    }
}

/// The answer to a change, marked where it repeats the first answer to the key.
pub(crate) fn repeatable<T, R: IntoResponse>(answer: Repeatable<T>, respond: impl FnOnce(T) -> R) -> Response {
    replayed(answer.is_repeated, respond(answer.value).into_response())
}

fn replayed(is_repeated: bool, mut response: Response) -> Response {
    if is_repeated {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
