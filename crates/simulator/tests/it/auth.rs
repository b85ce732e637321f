//! Tokens, accounts, the rate limit, and paths that do not exist.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Config, RateLimit, WrongSlash, acme, globex};

use crate::support::{TestSimulator, v2, v3};

#[tokio::test]
async fn token_and_bearer_are_equivalent() {
    let dbt = TestSimulator::start().await;
    for scheme in ["Token", "Bearer"] {
        let url = format!("{}{}", dbt.running.base_url(), v3("projects/"));
        let answer = dbt
            .client
            .get(url)
            .header("authorization", format!("{scheme} {}", acme::TOKEN))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{scheme}");
    }
}

#[tokio::test]
async fn an_unknown_token_is_refused_as_by_dbt() {
    let mut dbt = TestSimulator::start().await;
    dbt.token = "unknown";
    let answer = dbt.v2("jobs/").await;
    assert_eq!(answer.status, 401);
    let status =
        json!({ "code": 401, "is_success": false, "user_message": "Invalid token.", "developer_message": null });
    assert_eq!(answer.json, json!({ "status": status, "data": null }));
}

#[tokio::test]
async fn a_token_gives_access_to_its_account_only() {
    let mut dbt = TestSimulator::start().await;
    let foreign = dbt.get(&format!("/api/v2/accounts/{}/", globex::ACCOUNT_ID)).await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.json["status"]["code"], 404);
    dbt.token = globex::TOKEN;
    assert_eq!(dbt.get("/api/v3/accounts/").await.ids(), [globex::ACCOUNT_ID]);
    assert_eq!(dbt.v2("jobs/").await.status, 404);
}

#[tokio::test]
async fn a_wrong_path_is_an_html_page_and_a_wrong_method_a_405() {
    let dbt = TestSimulator::start().await;
    let answer = dbt.get("/api/v2/nothing/here/").await;
    assert_eq!((answer.status.as_u16(), answer.json), (404, Value::Null));
    let answer = dbt.try_send(Method::PUT, &v2("runs/"), None).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.json["status"]["code"].as_u64()),
        (405, Some(405))
    );
}

#[tokio::test]
async fn a_missing_slash_is_served_redirected_or_refused_by_switch() {
    let dbt = TestSimulator::start().await;
    assert_eq!(dbt.v2("jobs?limit=1").await.status, 200);
    dbt.running
        .change_switches(|switches| switches.wrong_slash = WrongSlash::Redirect);
    let answer = dbt.v2("jobs?limit=1").await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.headers["location"].to_str().unwrap(), v2("jobs/?limit=1"));
    dbt.running
        .change_switches(|switches| switches.wrong_slash = WrongSlash::NotFound);
    assert_eq!(dbt.v2("jobs").await.status, 404);
}

#[tokio::test]
async fn requests_over_the_limit_are_refused_for_five_minutes() {
    let rate_limit = RateLimit {
        admin_per_minute: Some(3),
        ..RateLimit::default()
    };
    let dbt = TestSimulator::with(Config {
        rate_limit,
        ..Config::frozen()
    })
    .await;
    for _ in 0..3 {
        assert_eq!(dbt.v2("").await.status, 200);
    }
    let answer = dbt.v2("").await;
    assert_eq!((answer.status.as_u16(), answer.headers.get("retry-after")), (429, None));
    dbt.running
        .change_switches(|switches| switches.rate_limit_retry_after = true);
    dbt.pass(299);
    assert_eq!(dbt.v2("").await.headers["retry-after"], "1");
    dbt.pass(1);
    assert_eq!(dbt.v2("").await.status, 200);
}

#[tokio::test]
async fn the_root_is_the_web_application_and_needs_no_token() {
    let mut dbt = TestSimulator::start().await;
    dbt.token = "unknown";
    let answer = dbt.get("/").await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
}
