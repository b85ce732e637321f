//! The answer to whatever starts a run.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::Run;

use crate::json::Json;
use crate::routes::AccountQuery;
use crate::views::RunView;

/// 201, the new run, and where it can be read: in the account and by the credential that the request named.
#[derive(Debug)]
pub(crate) struct Started {
    run: Run,
    location: String,
}

impl Started {
    pub(crate) fn new(run: Run, asked: &AccountQuery) -> Self {
        let location = asked.location(&format!("/runs/{}", run.id));
        Self { run, location }
    }
}

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let location = [(header::LOCATION, self.location)];
        (StatusCode::CREATED, location, Json(RunView::from(self.run))).into_response()
    }
}
