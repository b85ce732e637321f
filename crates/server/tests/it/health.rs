//! What can be asked without a key: is anybody there, and can they serve.

use reqwest::Method;

use crate::support::{Setup, TestApp};

#[tokio::test]
async fn without_a_key_one_learns_where_the_manual_is_and_that_all_is_well() {
    let app = TestApp::start().await;
    let welcome = app.stranger().get("/").await.expect(200);
    assert_eq!(welcome["name"], "dbt-gateway");
    for link in ["docs", "openapi"] {
        let answer = app.stranger().get(welcome[link].as_str().unwrap()).await;
        assert!(
            answer.status.is_success() || answer.status.is_redirection(),
            "{link}: {answer:#?}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        let answer = app.stranger().get(path).await;
        assert_eq!(answer.expect(200), serde_json::json!({"status": "ok"}));
        assert!(!answer.request_uuid().is_empty());
    }
    assert_eq!(app.rows().await.len(), 0, "none of these has a row");
    assert!(app.dbt.requests().is_empty(), "dbt Cloud's health is not ours");
}

#[tokio::test]
async fn a_probe_by_head_is_answered_as_by_get_without_the_body() {
    let app = TestApp::start().await;
    for path in ["/", "/healthz", "/readyz"] {
        let answer = app.stranger().send(app.stranger().request(Method::HEAD, path)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn a_gateway_without_its_database_lives_but_is_not_ready() {
    let app = Setup {
        database_url: Some("postgres://nobody@%2Fno%2Fsuch%2Fsocket/nothing".to_owned()),
        ..Setup::default()
    }
    .start()
    .await;
    assert_eq!(app.stranger().get("/healthz").await.expect(200)["status"], "ok");
    let answer = app.stranger().get("/readyz").await;
    assert_eq!(answer.expect(503), serde_json::json!({"status": "unavailable"}));

    let refused = app.viewer().get("/projects").await;
    let problem = refused.problem(503, "log-unavailable");
    assert_eq!(
        problem["detail"],
        "API keys cannot be checked now: the database is away."
    );
    assert_eq!(refused.header(reqwest::header::RETRY_AFTER), Some("2"));
    assert!(app.dbt.requests().is_empty());
}
