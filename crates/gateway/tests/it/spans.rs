//! Spans of requests, received by a fake OTLP collector.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use simulator::{Fault, acme};

use crate::support::{Caller, Gateway, Site, eventually};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER_SPAN_ID: &str = "00f067aa0ba902b7";
const PLANTED: &str = "planted-otlp-secret";

/// A fake collector that records all spans.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    headers: Vec<HeaderMap>,
    batches: Vec<ExportTraceServiceRequest>,
}

impl Collector {
    /// Starts it; returns its address.
    pub(crate) async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let receive = async |State(collector): State<Self>, headers: HeaderMap, body: Bytes| {
            let mut received = collector.0.lock().unwrap();
            received.headers.push(headers);
            received.batches.push(ExportTraceServiceRequest::decode(body).unwrap());
        };
        let router = Router::new()
            .route("/v1/traces", axum::routing::post(receive))
            .with_state(self.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://{address}")
    }

    /// Every span so far.
    fn spans(&self) -> Vec<Span> {
        let received = self.0.lock().unwrap();
        let scopes = received
            .batches
            .iter()
            .flat_map(|batch| &batch.resource_spans)
            .flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Everything received, as text.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap().batches)
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn attributes(span: &Span) -> HashMap<String, String> {
    let as_text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    span.attributes
        .iter()
        .map(|each| {
            (
                each.key.clone(),
                as_text(each.value.as_ref().unwrap().value.as_ref().unwrap()),
            )
        })
        .collect()
}

/// The spans with that name, by start time.
fn named(spans: &[Span], name: &str) -> Vec<Span> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.name == name).cloned().collect();
    found.sort_by_key(|span| span.start_time_unix_nano);
    found
}

fn only(spans: &[Span], name: &str) -> Span {
    let mut found = named(spans, name);
    assert_eq!(
        found.len(),
        1,
        "{name} among {:?}",
        spans.iter().map(|span| &span.name).collect::<Vec<_>>()
    );
    found.remove(0)
}

fn exporting(site: &Site, endpoint: &str, interval_ms: u32) -> Gateway {
    let mut serve = site.command(&["serve"]);
    serve
        .env("DBT_GATEWAY__TRACING__OTLP_ENDPOINT", endpoint)
        .env("DBT_GATEWAY__TRACING__OTLP_HEADERS", format!("x-api-key={PLANTED}"))
        .env("DBT_GATEWAY__TRACING__EXPORT_INTERVAL_MS", interval_ms.to_string());
    Gateway::start(serve)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_tree_of_spans_in_the_trace_of_its_caller() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let collector = Collector::default();
    // The shutdown exports them.
    let gateway = exporting(&site, &collector.start().await, 60_000);
    site.dbt.add_fault(Fault::everywhere().status(503).times(1));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(gateway.url("/projects?name=planted-argument"))
        .bearer_auth(&key)
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER_SPAN_ID}-01"))
        .header("tracestate", "vendor=opaque")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let request_uuid = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    gateway.stop();

    let spans = collector.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE_ID));
    let root = only(&spans, "http.request");
    assert_eq!((hex(&root.parent_span_id).as_str(), root.kind), (CALLER_SPAN_ID, 2));
    assert_eq!(root.trace_state, "vendor=opaque");
    let of_root = attributes(&root);
    for (name, value) in [
        ("request.uuid", request_uuid.as_str()),
        ("http.request.method", "GET"),
        ("http.route", "/projects"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(
            of_root.get(name).map(String::as_str),
            Some(value),
            "{name} in {of_root:?}"
        );
    }
    let operation = only(&spans, "dbt.list_projects");
    assert_eq!(operation.parent_span_id, root.span_id);
    assert_eq!(attributes(&operation)["request.uuid"], request_uuid);
    let written = only(&spans, "db.request_log.write");
    assert_eq!(written.parent_span_id, operation.span_id);

    let exchanges = named(&spans, "dbt.exchange");
    let sent = site.dbt.requests();
    assert_eq!((exchanges.len(), sent.len()), (2, 2));
    for (place, (exchange, sent)) in exchanges.iter().zip(&sent).enumerate() {
        assert_eq!((&exchange.parent_span_id, exchange.kind), (&operation.span_id, 3));
        let named = format!("00-{TRACE_ID}-{}-01", hex(&exchange.span_id));
        assert_eq!(sent.header("traceparent"), Some(named.as_str()));
        assert_eq!(sent.header("tracestate"), Some("vendor=opaque"));
        let of_exchange = attributes(exchange);
        assert_eq!(of_exchange["server.address"], "127.0.0.1");
        assert_eq!(of_exchange["http.request.method"], "GET");
        assert_eq!(of_exchange["dbt.operation"], "list_projects");
        let (status, why, resent) = [("503", "asked", None), ("200", "retry", Some("1"))][place];
        assert_eq!(of_exchange["http.response.status_code"], status);
        assert_eq!(of_exchange["dbt.why"], why);
        assert_eq!(of_exchange.get("http.request.resend_count").map(String::as_str), resent);
    }
    assert_eq!(spans.len(), 5, "{spans:#?}");

    let everything = collector.text();
    for secret in [key.as_str(), acme::TOKEN, PLANTED, "planted-argument"] {
        assert!(!everything.contains(secret), "{secret} is in {everything}");
    }
    let received = collector.0.lock().unwrap();
    assert!(received.headers.iter().all(|headers| headers["x-api-key"] == PLANTED));
    let service = format!("{:?}", received.batches[0].resource_spans[0].resource);
    assert!(service.contains("dbt-gateway"), "{service}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_a_change_in_its_own_task_and_of_a_failure_belong_to_the_tree() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let collector = Collector::default();
    let gateway = exporting(&site, &collector.start().await, 100);
    assert_eq!(
        caller.trigger(&gateway, acme::NIGHTLY_JOB_ID).await.unwrap().status,
        201
    );
    eventually("the spans, before a shutdown", async || {
        (!named(&collector.spans(), "http.request").is_empty()).then_some(())
    })
    .await;
    site.dbt.add_fault(Fault::everywhere().status(500));
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 502);
    gateway.stop();

    let spans = collector.spans();
    let operation = only(&spans, "dbt.trigger_job");
    let count_in_change = |name: &str| {
        let found = named(&spans, name);
        found
            .into_iter()
            .filter(|span| span.parent_span_id == operation.span_id)
            .count()
    };
    // The row is opened and closed.
    assert_eq!(
        (count_in_change("db.request_log.write"), count_in_change("dbt.exchange")),
        (2, 1)
    );
    let roots = named(&spans, "http.request");
    assert_eq!(operation.parent_span_id, roots[0].span_id);
    assert!(roots[0].parent_span_id.is_empty());
    assert_ne!(roots[0].trace_id, roots[1].trace_id);
    let code = |span: &Span| span.status.as_ref().map_or(0, |status| status.code);
    assert_eq!((code(&roots[0]), code(&roots[1])), (0, 2));
    let failed = named(&spans, "dbt.exchange").pop().unwrap();
    assert_eq!(code(&failed), 2);
    assert_eq!(attributes(&failed)["error.type"], "unexpected_status");
    assert!(
        !collector.text().contains("a test"),
        "the cause of the trigger is an argument"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_its_caller_does_not_record_is_propagated_but_not_exported() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let collector = Collector::default();
    let gateway = exporting(&site, &collector.start().await, 100);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .get(gateway.url("/projects"))
        .bearer_auth(&key)
        .header("traceparent", format!("00-{TRACE_ID}-{CALLER_SPAN_ID}-00"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    gateway.stop();
    assert!(collector.spans().is_empty());
    let requests = site.dbt.requests();
    let sent = requests[0].header("traceparent").unwrap();
    assert!(
        sent.starts_with(&format!("00-{TRACE_ID}-")) && sent.ends_with("-00"),
        "{sent}"
    );
    assert!(!sent.contains(CALLER_SPAN_ID), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_unreachable_or_never_answers_fails_no_request_and_delays_no_shutdown() {
    // Connections are accepted by the kernel and never read.
    let unresponsive = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unreachable = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for address in [unresponsive.local_addr().unwrap(), unreachable] {
        let site = Site::new().await;
        let caller = Caller::new(&site.key("operator"));
        let mut serve = site.command(&["serve"]);
        serve
            .env("DBT_GATEWAY__TRACING__OTLP_ENDPOINT", format!("http://{address}"))
            .env("DBT_GATEWAY__TRACING__EXPORT_INTERVAL_MS", "100")
            .env("DBT_GATEWAY__TRACING__EXPORT_TIMEOUT_SECS", "1")
            .env("DBT_GATEWAY__TRACING__FLUSH_SECS", "1");
        let mut gateway = Gateway::start(serve);
        for _ in 0..20 {
            assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 200);
            assert_eq!(
                caller.trigger(&gateway, acme::NIGHTLY_JOB_ID).await.unwrap().status,
                201
            );
        }
        gateway.wait_for_line("spans are lost");
        let rows = site.rows("SELECT count(*) AS n FROM request_log WHERE outcome = 'succeeded' AND surface = 'rest'");
        assert_eq!(rows[0]["n"], 40);
        gateway.stop();
    }
}
