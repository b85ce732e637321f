//! Answers of dbt Cloud that are handed on as they came.

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

use crate::relay::is_for_this_connection;

/// Back to the caller, of dbt Cloud's headers: these, and those that begin with `x-rate-limit-`.
const BACK: [HeaderName; 10] = [
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
const BACK_PREFIX: &str = "x-rate-limit-";

/// The answer with dbt Cloud's status, those of its headers that are passed back, and its body byte for byte. Where
/// the body breaks off, so does the connection: it never ends as if it were whole.
pub(crate) fn response(answer: StreamedAnswer) -> Response {
    let mut response = Response::new(match answer.body {
        AnswerBody::Whole(bytes) => Body::from(bytes),
        AnswerBody::Pieces(pieces) => Body::from_stream(pieces),
    });
    *response.status_mut() = answer.status;
    for (name, value) in &answer.headers {
        let listed = BACK.contains(name) || name.as_str().starts_with(BACK_PREFIX);
        if listed && !is_for_this_connection(&answer.headers, name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// The headers of a request for a file that say which part, under which condition, in which encoding.
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
