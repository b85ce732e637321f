//! JSON answers.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::problem::Problem;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The initial capacity, enough for most answers.
const INITIAL_BYTES: usize = 8 << 10;

/// A JSON body. As axum's, with a larger initial buffer.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(INITIAL_BYTES);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
            Err(error) => Problem::internal(format!("an answer cannot be serialised: {error}")).into_response(),
        }
    }
}
