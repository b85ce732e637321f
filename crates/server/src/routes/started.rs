//! The answer to a request that starts a run.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::Run;

use crate::extract::Scope;
use crate::json::Json;

/// 201 with the new run and its address, in the account and by the credential of the request.
#[derive(Debug)]
pub(crate) struct Started {
    run: Run,
    location: String,
}

impl Started {
    pub(crate) fn new(run: Run, scope: &Scope) -> Self {
        let location = scope.location(&format!("/runs/{}", run.id));
        Self { run, location }
    }
}

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let location = [(header::LOCATION, self.location)];
        (StatusCode::CREATED, location, Json(self.run)).into_response()
    }
}
