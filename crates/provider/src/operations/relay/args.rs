//! The column `args` of a relayed request: method, path and query, without the body. Secrets are removed as from every row.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::ForwardRequest;

pub(super) fn log_args(request: &ForwardRequest) -> Value {
    let query: Vec<_> = form_urlencoded::parse(request.query.as_deref().unwrap_or_default().as_bytes())
        .map(|(name, value)| json!([name, value]))
        .collect();
    json!({
        "method": request.request.method().as_str(),
        "path": request.request.path(),
        "query": query,
        "body_bytes": request.body.as_ref().map_or(0, bytes::Bytes::len),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dbt_routes::RelayRequest;
    use http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn method_path_and_query_are_logged_in_a_form_whose_secrets_are_recognised() {
        let request = ForwardRequest {
            request: RelayRequest::new(Method::POST, "/api/v2/accounts/1/odd/dbtc_sesame/")
                .unwrap()
                .unwrap(),
            query: Some("limit=2&limit=3&status__in=%5B1%2C2%5D&Access_Token=x&q=Token+dgw_0a_1&empty".to_owned()),
            headers: HeaderMap::new(),
            body: Some(Bytes::from_static(b"secret")),
        };
        let mut args = log_args(&request);
        redaction::json(&mut args);
        assert_eq!(
            args,
            json!({
                "method": "POST",
                "path": "/v2/accounts/1/odd/[redacted]/",
                "query": [
                    ["limit", "2"], ["limit", "3"], ["status__in", "[1,2]"], ["Access_Token", "[redacted]"],
                    ["q", "Token [redacted]"], ["empty", ""],
                ],
                "body_bytes": 6,
            })
        );
    }
}
