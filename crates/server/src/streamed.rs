//! Answers of dbt Cloud that are passed on unchanged.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use client::{AnswerBody, StreamedAnswer};

use crate::headers::is_hop_by_hop;

/// The headers of dbt Cloud that are passed on, besides those that begin with `x-rate-limit-`, and the gateway's own.
const PASSED_ON: [HeaderName; 11] = [
    HeaderName::from_static("x-run-origin"),
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    ACCEPT_RANGES,
    ETAG,
    LAST_MODIFIED,
    CACHE_CONTROL,
    RETRY_AFTER,
];
const PASSED_ON_PREFIX: &str = "x-rate-limit-";

/// The answer with dbt Cloud's status, the listed headers, and its body byte for byte. If the body is aborted, so is the
/// connection: it never ends as if the body were complete.
pub(crate) fn response(answer: StreamedAnswer) -> Response {
    let mut response = Response::new(match answer.body {
        AnswerBody::Whole(bytes) => Body::from(bytes),
        AnswerBody::Pieces(pieces) => Body::from_stream(pieces),
    });
    *response.status_mut() = answer.status;
    for (name, value) in &answer.headers {
        let listed = PASSED_ON.contains(name) || name.as_str().starts_with(PASSED_ON_PREFIX);
        if listed && !is_hop_by_hop(&answer.headers, name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// The headers of a request for a file: ranges, conditions, encodings.
pub(crate) struct FileHeaders(pub(crate) HeaderMap);

impl FileHeaders {
    const NAMES: [HeaderName; 7] = [
        RANGE,
        IF_RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
        ACCEPT_ENCODING,
    ];
}

impl<S: Sync> FromRequestParts<S> for FileHeaders {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let mut headers = HeaderMap::new();
        for name in &Self::NAMES {
            for value in parts.headers.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        Ok(Self(headers))
    }
}
