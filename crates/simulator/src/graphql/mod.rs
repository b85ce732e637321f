//! The GraphQL faces.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;

use crate::state::State;

/// Answers a request to a GraphQL path; `None` when the path is none.
pub(crate) fn route(_state: &Arc<State>, _parts: &Parts, _body: &Bytes) -> Option<(Option<&'static str>, Response)> {
    None
}
