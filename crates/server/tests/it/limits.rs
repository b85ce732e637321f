//! Limits: request rate of a key, concurrent requests, bodies, URLs, headers; and read-only mode.

use model::{Effect, Role};
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::json;
use server::LimitSettings;
use simulator::{Fault, acme};
use tokio::net::TcpListener;

use crate::support::{Answer, Caller, Names, Setup, TestApp, operations, other_ids};

/// Far more requests than the rate allows in their time.
const MANY: usize = 200;

async fn with_limits(change: impl FnOnce(&mut LimitSettings)) -> TestApp {
    let mut setup = Setup::default();
    change(&mut setup.limits);
    setup.start().await
}

/// Sends requests until one is refused: the number of allowed ones, and the refusal.
async fn until_refused(caller: &Caller<'_>) -> (usize, Answer) {
    for allowed in 0..MANY {
        let answer = caller.get("/projects/1").await;
        if answer.status != 404 {
            return (allowed, answer);
        }
    }
    panic!("{MANY} requests and no limit");
}

#[tokio::test]
async fn a_key_over_its_rate_gets_retry_after_and_other_keys_are_not_affected() {
    let app = with_limits(|limits| limits.requests_per_second = 1).await;
    let (allowed, refused) = until_refused(&app.viewer()).await;
    let problem = refused.problem(429, "key-rate-limit");
    assert_eq!(problem["detail"], "This key may send 1 requests a second.");
    assert_eq!(refused.header(RETRY_AFTER), Some("1"));
    assert!(
        !app.has_row(&refused).await,
        "refusals by the rate limit are not logged"
    );
    assert_eq!(app.rows().await.len(), allowed);
    assert_eq!(app.dbt.requests().len(), allowed);
    assert_eq!(
        app.operator().get("/projects/1").await.status,
        404,
        "each key has its own rate"
    );
    assert_eq!(app.without_key().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_burst_is_allowed_at_once() {
    let app = with_limits(|limits| {
        limits.requests_per_second = 1;
        limits.burst = 7;
    })
    .await;
    let (allowed, _) = until_refused(&app.viewer()).await;
    assert!(allowed >= 7, "{allowed}");
}

#[tokio::test]
async fn each_replica_allows_its_share_of_a_rate() {
    let rate = |limits: &mut LimitSettings| {
        limits.requests_per_second = 10_000;
        limits.burst = 10_000;
    };
    let single = with_limits(rate).await;
    for _ in 0..20 {
        assert_eq!(single.viewer().get("/projects/1").await.status, 404);
    }
    let one_of_many = with_limits(|limits| {
        rate(limits);
        limits.replicas = 10_000;
    })
    .await;
    let (_, refused) = until_refused(&one_of_many.viewer()).await;
    refused.problem(429, "key-rate-limit");
}

#[tokio::test]
async fn concurrent_requests_are_limited_and_the_next_one_is_refused() {
    // dbt Cloud accepts the connection and does not answer until the test drops it.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut setup = Setup {
        dbt_url: Some(format!("http://{}", silent.local_addr().unwrap()).parse().unwrap()),
        ..Setup::default()
    };
    setup.shares.max_requests = 1;
    let app = setup.start().await;
    let viewer = app.viewer();
    let blocked = viewer.get("/projects");
    let meanwhile = async {
        let (at_dbt, _) = silent.accept().await.unwrap();
        let refused = app.operator().get("/projects").await;
        let without_key = app.without_key().get("/openapi.json").await;
        for probe in ["/healthz", "/readyz"] {
            assert_eq!(app.without_key().get(probe).await.status, 200, "{probe} takes no place");
        }
        drop((at_dbt, silent));
        (refused, without_key)
    };
    let (blocked, (refused, without_key)) = tokio::join!(blocked, meanwhile);
    let problem = refused.problem(503, "share-exhausted");
    assert_eq!(
        problem["detail"],
        "At the gateway, all concurrent requests of this process are in use (limits.max_concurrent_requests). \
         dbt Cloud was not contacted."
    );
    assert_eq!(refused.header(RETRY_AFTER), Some("1"));
    assert!(!app.has_row(&refused).await);
    assert_eq!(without_key.status, 200, "no request to dbt Cloud");
    blocked.problem(502, "dbt-unavailable");
    assert_eq!(
        app.operator().get("/accounts").await.status,
        502,
        "the place is free again"
    );
}

#[tokio::test]
async fn too_long_bodies_urls_and_headers_are_refused_early() {
    let mut setup = Setup::default();
    setup.server.max_body_bytes = 1000;
    setup.limits.max_url_bytes = 200;
    setup.limits.max_header_bytes = 600;
    let app = setup.start().await;
    let operator = app.operator();
    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);

    let fits = json!({"cause": "x".repeat(200)});
    assert_eq!(operator.post(&trigger, &fits).await.status, 201);
    let body = json!({"cause": "x", "steps_override": ["y".repeat(1000)]});
    operator.post(&trigger, &body).await.problem(413, "body-too-large");

    let path = |length: usize| format!("/projects?name={}", "x".repeat(length - "/projects?name=".len()));
    assert_eq!(operator.get(&path(200)).await.status, 200);
    for caller in [app.operator(), app.without_key()] {
        caller.get(&path(201)).await.problem(414, "url-too-long");
        let long = caller
            .request(Method::GET, "/projects")
            .header("x-long", "x".repeat(600));
        caller.send(long).await.problem(431, "headers-too-large");
    }
    assert_eq!(app.dbt.requests_to("POST", "/").len(), 1);
    assert_eq!(app.rows().await.len(), 2);
}

#[tokio::test]
async fn a_read_only_gateway_refuses_every_change_and_serves_every_read() {
    let app = Setup {
        read_only: true,
        ..Setup::default()
    }
    .start()
    .await;
    let admin = app.caller(Role::Admin);
    let keys = admin.get("/api-keys").await.expect(200);
    let names = Names {
        account: acme::ACCOUNT_ID,
        project: acme::PROJECT_ID,
        job: acme::NIGHTLY_JOB_ID,
        run: acme::SUCCEEDED_RUN_ID,
        running_run: acme::SUCCEEDED_RUN_ID,
        failed_run: acme::SUCCEEDED_RUN_ID,
        credential: format!("account%20{}", acme::ACCOUNT_ID),
        api_key: keys["results"][0]["id"].as_i64().unwrap(),
        request_uuid: admin.get("/projects").await.request_uuid(),
        unused_name: "new".to_owned(),
        other_ids: other_ids(&app, acme::ACCOUNT_ID).await,
    };
    let (mut changes, mut reads) = (0, 0);
    for operation in operations() {
        let Some(request_type) = operation.request_type() else {
            continue;
        };
        let answer = operation.ask(&admin, &operation.address(&names), &names).await;
        match request_type.effect() {
            Effect::Change => {
                changes += 1;
                answer.problem(403, "read-only");
                let row = app.row_of(&answer).await;
                assert_eq!(
                    (&row["request_type"], &row["outcome"]),
                    (&json!(operation.id), &json!("refused"))
                );
            }
            Effect::Read => {
                reads += 1;
                assert_eq!(answer.status, 200, "{}: {}", operation.id, answer.text);
            }
        }
    }
    println!("{changes} changes, {reads} reads");
    assert!(changes > 0 && reads > 0);
    // GraphQL queries are reads sent as POST.
    assert!(app.dbt.requests_to("POST", "/api/v").is_empty());
    assert_eq!(
        admin.get("/api-keys").await.expect(200)["results"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn the_rate_limit_of_dbt_is_a_different_problem_than_that_of_a_key() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::everywhere().status(429));
    let answer = app.viewer().get("/projects").await;
    answer.problem(429, "rate-limit");
    assert!(app.has_row(&answer).await);
}
