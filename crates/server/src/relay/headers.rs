//! What of a caller's headers is sent on: these and nothing else, so that no cookie, key, forwarding address or method
//! override gets through, and framing is always our own.

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName};

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

/// The headers that are sent on. One that `Connection` names was meant for us.
pub(super) fn to_dbt(came: &HeaderMap) -> HeaderMap {
    let mut sent = HeaderMap::new();
    for name in TO_DBT.iter().filter(|name| !is_for_this_connection(came, name)) {
        for value in came.get_all(name) {
            sent.append(name, value.clone());
        }
    }
    sent
}

/// Whether `Connection` names that header.
pub(crate) fn is_for_this_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut listed = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    listed.any(|list| {
        list.split(',')
            .any(|each| each.trim().eq_ignore_ascii_case(name.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_listed_headers_are_sent_on_and_those_of_the_connection_are_not() {
        let mut came = HeaderMap::new();
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
            came.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let sent = to_dbt(&came);
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
