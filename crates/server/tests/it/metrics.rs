//! `/metrics`: access, counts, and a bounded number of series.

use std::collections::BTreeSet;

use model::{CompanyId, Role};
use reqwest::Method;
use serde_json::json;
use simulator::{Fault, acme};

use crate::support::{Setup, TestApp};

/// Every series, name and labels, with its value.
fn series(app: &TestApp) -> Vec<(String, f64)> {
    let text = app.metrics();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The sum over the series of that name whose labels hold these.
#[track_caller]
fn sum(app: &TestApp, name: &str, labels: &[&str]) -> u64 {
    let all = series(app);
    let of_name = |each: &str| each == name || each.starts_with(&format!("{name}{{"));
    let found = all
        .iter()
        .filter(|(each, _)| of_name(each) && labels.iter().all(|label| each.contains(label)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
    let sum = found.map(|(_, value)| *value as u64).sum();
    sum
}

#[tokio::test]
async fn only_an_admin_of_company_1_can_read_metrics_and_that_has_no_row() {
    let app = TestApp::start().await;
    app.without_key().get("/metrics").await.problem(401, "unauthenticated");
    let refused = app.operator().get("/metrics").await;
    refused.problem(403, "forbidden");
    assert_eq!(app.row_of(&refused).await["outcome"], "refused");

    let second = app.create_company("Globex").await;
    assert_ne!(second, CompanyId(1));
    let other_key = app.create_key(second, Role::Admin).await;
    let refused = app.with_key(&other_key).get("/metrics").await;
    let problem = refused.problem(403, "forbidden");
    assert_eq!(
        problem["detail"],
        "This is about the whole gateway: it needs an admin key of company 1."
    );
    let row = app.row_of(&refused).await;
    assert_eq!((&row["outcome"], &row["company_id"]), (&json!("refused"), &json!(2)));

    let answer = app.caller(Role::Admin).get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(answer.text.ends_with("# EOF\n"), "{}", answer.text);
    assert!(!app.has_row(&answer).await);
}

#[tokio::test]
async fn requests_are_counted_by_route_type_and_exchange() {
    let app = TestApp::start().await;
    app.viewer().get("/projects").await.expect(200);
    app.dbt.add_fault(Fault::everywhere().status(503));
    app.viewer().get("/projects").await.problem(502, "dbt-unavailable");

    let listed = ["route=\"/projects\"", "method=\"GET\""];
    assert_eq!(sum(&app, "dbt_gateway_http_requests_total", &listed), 2);
    let failed = [listed[0], "status=\"502\""];
    assert_eq!(sum(&app, "dbt_gateway_http_requests_total", &failed), 1);
    assert_eq!(sum(&app, "dbt_gateway_http_request_duration_seconds_count", &listed), 2);
    for (outcome, requests) in [("succeeded", 1), ("unexpected_status", 1), ("refused", 0)] {
        let outcome = format!("outcome=\"{outcome}\"");
        let labels = ["request_type=\"list_projects\"", outcome.as_str()];
        assert_eq!(sum(&app, "dbt_gateway_requests_total", &labels), requests, "{outcome}");
    }
    let of_type = ["request_type=\"list_projects\""];
    assert_eq!(sum(&app, "dbt_gateway_request_duration_seconds_count", &of_type), 2);
    for (why, status, error, exchanges) in [
        ("asked", "2xx", "none", 1),
        ("asked", "5xx", "unexpected_status", 1),
        ("retry", "5xx", "unexpected_status", 2),
    ] {
        let labels = [
            "operation=\"list_projects\"".to_owned(),
            format!("why=\"{why}\""),
            format!("status=\"{status}\""),
            format!("error=\"{error}\""),
        ];
        let labels = labels.each_ref().map(String::as_str);
        let counted = sum(&app, "dbt_gateway_upstream_exchanges_total", &labels);
        assert_eq!(counted, exchanges, "{labels:?}");
    }
    let of_operation = ["operation=\"list_projects\""];
    let timed = sum(
        &app,
        "dbt_gateway_upstream_exchange_duration_seconds_count",
        &of_operation,
    );
    assert_eq!(timed, 4);
    // One commit for each of the two rows.
    assert!(sum(&app, "dbt_gateway_request_log_rows_written_total", &[]) >= 2);
    assert!(sum(&app, "dbt_gateway_request_log_commit_duration_seconds_count", &[]) >= 2);
    assert_eq!(
        sum(&app, "dbt_gateway_problems_total", &["kind=\"dbt-unavailable\""]),
        1
    );
    let answer = app.caller(Role::Admin).get("/metrics").await;
    for resource in ["requests", "streams", "exchanges", "bytes", "request_log_rows"] {
        let line = format!("dbt_gateway_shared_resource_used{{resource=\"{resource}\"}} 0\n");
        assert!(answer.text.contains(&line), "{line}");
    }
    assert_eq!(sum(&app, "dbt_gateway_request_log_queue_capacity", &[]), 4096);
    assert_eq!(sum(&app, "dbt_gateway_request_log_queue_depth", &[]), 0);
}

#[tokio::test]
async fn requests_without_a_row_and_changes_of_keys_are_counted() {
    let mut setup = Setup::default();
    setup.limits.requests_per_second = 1;
    setup.limits.burst = 1;
    let app = setup.start().await;
    app.without_key().get("/projects").await.problem(401, "unauthenticated");
    app.viewer().get("/nothing").await.problem(404, "not-found");
    app.viewer().get("/api-keys").await.problem(403, "forbidden");
    while app.viewer().get("/projects").await.status != 429 {}
    let key = json!({"name": "new", "role": "viewer"});
    app.operator().post("/api-keys", &key).await.problem(403, "forbidden");
    let admin = app.create_key(CompanyId(1), Role::Admin).await;
    app.with_key(&admin).post("/api-keys", &key).await.expect(201);

    for (kind, problems) in [
        ("unauthenticated", 1),
        ("key-rate-limit", 1),
        ("forbidden", 2),
        ("busy", 0),
    ] {
        let label = format!("kind=\"{kind}\"");
        assert_eq!(sum(&app, "dbt_gateway_problems_total", &[&label]), problems, "{kind}");
    }
    for line in [
        "dbt_gateway_requests_total{request_type=\"create_api_key\",outcome=\"succeeded\"} 1",
        "dbt_gateway_requests_total{request_type=\"create_api_key\",outcome=\"refused\"} 1",
        "dbt_gateway_requests_total{request_type=\"list_api_keys\",outcome=\"refused\"} 1",
        "dbt_gateway_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1",
    ] {
        assert!(app.metrics().contains(line), "{line} is not in\n{}", app.metrics());
    }
}

#[tokio::test]
async fn callers_cannot_create_series() {
    let app = TestApp::start().await;
    let hostile = async |round: usize| {
        for method in ["GET", "POST", "BREW", &format!("M{round}")] {
            for path in [
                format!("/nothing/{round}"),
                format!("/projects/{round}"),
                format!("/runs/{round}/artifacts/a{round}.json"),
                format!("/api/v2/accounts/{}/jobs/{round}/", acme::ACCOUNT_ID),
                format!("/api/v2/accounts/{round}/odd-{round}/"),
                format!("/api/v{round}7/"),
                format!("/api/%2e%2e/{round}"),
                format!("/docs/{round}"),
                format!("/%22%0aevil%7b{round}"),
            ] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let admin = app.caller(Role::Admin);
                admin.send(admin.request(method, &path)).await;
            }
        }
    };
    let names = || series(&app).into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
    hostile(1).await;
    let before = names();
    for round in 2..6 {
        hostile(round).await;
    }
    let after = names();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert!(after.iter().any(|name| name.contains("method=\"other\"")));
    for name in &after {
        for text in ["BREW", "odd-", "evil", &acme::ACCOUNT_ID.to_string()] {
            assert!(!name.contains(text), "{name}");
        }
    }
    println!("{} series after {} hostile requests", after.len(), 5 * 4 * 9);
}
