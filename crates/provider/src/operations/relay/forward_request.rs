//! The request that the relay forwards.

use bytes::Bytes;
use dbt_routes::RelayRequest;
use http::HeaderMap;

/// A caller's request to dbt Cloud.
#[derive(Debug, Clone)]
pub struct ForwardRequest {
    /// The method and the path.
    pub request: RelayRequest,
    /// The query as the caller wrote it.
    pub query: Option<String>,
    /// The headers to send.
    pub headers: HeaderMap,
    /// The body; `None` where the request has none.
    pub body: Option<Bytes>,
}
