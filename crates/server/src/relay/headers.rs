//! The request headers that the relay sends to dbt Cloud. Nothing else passes: no cookie, key, forwarding address or method
//! override, and the framing is the gateway's own.

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    RANGE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName};

use crate::headers::is_hop_by_hop;

const TO_DBT: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_ENCODING,
    CONTENT_TYPE,
    RANGE,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    USER_AGENT,
];

/// The headers to send. A header that `Connection` names ends at the gateway.
pub(super) fn to_dbt(received: &HeaderMap) -> HeaderMap {
    let mut sent = HeaderMap::new();
    for name in TO_DBT.iter().filter(|name| !is_hop_by_hop(received, name)) {
        for value in received.get_all(name) {
            sent.append(name, value.clone());
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_listed_headers_are_sent_and_hop_by_hop_ones_are_not() {
        let mut received = HeaderMap::new();
        for (name, value) in [
            ("accept", "a"),
            ("accept", "b"),
            ("user-agent", "dbtc"),
            ("range", "bytes=0-1"),
            ("if-none-match", "\"x\""),
            ("connection", "close, Range"),
            ("connection", "x-odd"),
            ("authorization", "Token key"),
            ("cookie", "a=b"),
            ("host", "metadata.gateway"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1"),
            ("x-forwarded-host", "1"),
            ("x-http-method-override", "DELETE"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("expect", "100-continue"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "x"),
            ("x-request-id", "x"),
            ("x-dbt-account-id", "1"),
        ] {
            received.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let sent = to_dbt(&received);
        let sent: Vec<_> = sent
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(
            sent,
            [
                ("accept", "a"),
                ("accept", "b"),
                ("if-none-match", "\"x\""),
                ("user-agent", "dbtc")
            ]
        );
    }
}
