//! The column `args` of a relayed request: method, path and query, without bodies and secrets.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::ForwardRequest;

const REDACTED: &str = "[redacted]";

pub(super) fn log_args(request: &ForwardRequest) -> Value {
    let path: Vec<_> = request.request.path().split('/').map(redacted).collect();
    let query: Vec<_> = form_urlencoded::parse(request.query.as_deref().unwrap_or_default().as_bytes())
        .map(|(name, value)| {
            let value = if names_secret(&name) {
                REDACTED
            } else {
                redacted(&value)
            };
            json!([redacted(&name), value])
        })
        .collect();
    json!({
        "method": request.request.method().as_str(),
        "path": path.join("/"),
        "query": query,
        "body_bytes": request.body.as_ref().map_or(0, bytes::Bytes::len),
    })
}

fn names_secret(name: &str) -> bool {
    const WORDS: [&str; 7] = [
        "token",
        "secret",
        "password",
        "passwd",
        "authorization",
        "apikey",
        "api_key",
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Recognises dbt Cloud's tokens and the gateway's keys by their prefixes.
fn redacted(text: &str) -> &str {
    const PREFIXES: [&str; 5] = ["dbtc_", "dbtu_", "dbts_", "dbtl_", "dgw_"];
    if PREFIXES.iter().any(|prefix| text.contains(prefix)) {
        REDACTED
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dbt_routes::RelayRequest;
    use http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn method_path_and_query_are_logged_without_secrets() {
        let request = ForwardRequest {
            request: RelayRequest::new(Method::POST, "/api/v2/accounts/1/odd/dbtc_sesame/")
                .unwrap()
                .unwrap(),
            query: Some("limit=2&limit=3&status__in=%5B1%2C2%5D&Access_Token=x&q=Token+dgw_0a_1&empty".to_owned()),
            headers: HeaderMap::new(),
            body: Some(Bytes::from_static(b"secret")),
        };
        assert_eq!(
            log_args(&request),
            json!({
                "method": "POST",
                "path": "/v2/accounts/1/odd/[redacted]/",
                "query": [
                    ["limit", "2"], ["limit", "3"], ["status__in", "[1,2]"], ["Access_Token", "[redacted]"],
                    ["q", "[redacted]"], ["empty", ""],
                ],
                "body_bytes": 6,
            })
        );
    }
}
