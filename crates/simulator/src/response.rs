//! HTTP responses without dbt's envelopes: JSON, text with a content type, HTML pages of a proxy.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

pub(crate) fn with_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    typed(status, "application/json", body.to_string())
}

/// A body with its content type; an impossible content type is left out.
pub(crate) fn typed(status: StatusCode, kind: &str, body: impl Into<Body>) -> Response {
    let mut response = with_body(status, body.into());
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// What a proxy or the web framework answers instead of dbt's API.
pub(crate) fn html_page(status: u16) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let reason = code.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         </body>\r\n</html>\r\n"
    );
    typed(code, "text/html; charset=utf-8", page)
}
