//! Header names and rules that several modules share.

use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderName};

/// Where the answer is from.
pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
/// How long the caller waits, in seconds.
pub(crate) const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout");
/// The longest time in that header.
pub(crate) const MAX_TIMEOUT_SECONDS: u64 = 600;
/// The header that carries the request's UUID.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether `Connection` names the header, so that it must not be forwarded (RFC 9110, section 7.6.1).
pub(crate) fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut listed = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    listed.any(|list| {
        list.split(',')
            .any(|each| each.trim().eq_ignore_ascii_case(name.as_str()))
    })
}
