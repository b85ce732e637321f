//! The trace context of a caller is sent to dbt Cloud unchanged or not at all, by both APIs.

use reqwest::Method;
use simulator::acme;

use crate::support::TestApp;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Sends a request with these headers; returns `traceparent` and `tracestate` of each exchange with dbt Cloud.
async fn sent_context(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Vec<(Option<String>, Option<String>)> {
    let before = app.dbt.requests().len();
    let caller = app.viewer();
    let mut request = caller.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = caller.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let requests = app.dbt.requests();
    assert!(requests.len() > before);
    let header = |request: &simulator::RecordedRequest, name| request.header(name).map(str::to_owned);
    requests[before..]
        .iter()
        .map(|request| (header(request, "traceparent"), header(request, "tracestate")))
        .collect()
}

fn paths() -> [String; 2] {
    let relayed = format!("/api/v3/accounts/{}/projects/", acme::ACCOUNT_ID);
    ["/projects".to_owned(), relayed]
}

#[tokio::test]
async fn a_trace_context_is_sent_unchanged_with_every_exchange() {
    let app = TestApp::start().await;
    for path in paths() {
        app.dbt.add_fault(simulator::Fault::everywhere().status(503).once());
        let sent = sent_context(&app, &path, &[("traceparent", PARENT), ("tracestate", "vendor=opaque")]).await;
        let expected = (Some(PARENT.to_owned()), Some("vendor=opaque".to_owned()));
        assert_eq!(sent, [expected.clone(), expected], "{path}");
    }
}

#[tokio::test]
async fn an_invalid_or_hop_by_hop_trace_context_is_not_sent() {
    let app = TestApp::start().await;
    for path in paths() {
        for headers in [
            vec![],
            vec![("traceparent", "00-1-2-3"), ("tracestate", "vendor=opaque")],
            vec![("tracestate", "vendor=opaque")],
            vec![("traceparent", PARENT), ("traceparent", PARENT)],
            vec![("traceparent", PARENT), ("connection", "traceparent")],
        ] {
            assert_eq!(
                sent_context(&app, &path, &headers).await,
                [(None, None)],
                "{path} {headers:?}"
            );
        }
    }
}
