//! What can be asked without a key: is anybody there, and can they serve.

use std::sync::Arc;

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::Shutdown;
use simulator::acme;
use storage::KeyRing;

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

/// What an admin is told is wrong, by check.
async fn problems(app: &TestApp, status: u16) -> Vec<(String, String)> {
    let health = app.caller(Role::Admin).get("/readyz").await.expect(status);
    let checks = health["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["database", "migrations", "encryption_keys", "request_log", "serving"]
    );
    let bad = checks.iter().filter(|check| check["ok"] == false);
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    bad.map(|check| (text(check, "name"), text(check, "message"))).collect()
}

#[tokio::test]
async fn an_admin_is_told_what_was_looked_at_and_nobody_else() {
    let app = TestApp::start().await;
    assert_eq!(problems(&app, 200).await, []);
    for caller in [app.stranger(), app.viewer(), app.operator(), app.with_key("dgw_no_key")] {
        assert_eq!(caller.get("/readyz").await.expect(200), json!({"status": "ok"}));
    }
    assert_eq!(app.rows().await.len(), 0, "none of these has a row");
}

#[tokio::test]
async fn tables_behind_this_version_are_not_ready_and_newer_ones_are() {
    let behind = TestApp::start().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(behind.database.pool())
        .await
        .unwrap();
    let told = problems(&behind, 503).await;
    assert_eq!((told.len(), told[0].0.as_str()), (1, "migrations"), "{told:?}");
    assert!(told[0].1.contains("this version needs 2026"), "{told:?}");

    let ahead = TestApp::start().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'of a newer replica', true, '', 0)",
    )
    .execute(ahead.database.pool())
    .await
    .unwrap();
    assert_eq!(problems(&ahead, 200).await, []);
}

#[tokio::test]
async fn a_token_that_no_key_opens_is_told_by_the_keys_id() {
    let ring = KeyRing::parse(&format!("2026:{}=", "A".repeat(43))).unwrap();
    let app = Setup {
        key_ring: Some(Arc::new(ring)),
        ..Setup::default()
    }
    .start()
    .await;
    let order = json!({
        "name": "stored", "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url(),
    });
    app.caller(Role::Admin).post("/credentials", &order).await.expect(201);
    sqlx::query("UPDATE credential SET token_sealed = replace(token_sealed, '.2026.', '.2025.')")
        .execute(app.database.pool())
        .await
        .unwrap();
    let expected = (
        "encryption_keys".to_owned(),
        "stored tokens need the keys 2025".to_owned(),
    );
    assert_eq!(problems(&app, 503).await, [expected]);
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_is_not_ready_answers_on_and_closes_each_connection() {
    let shutdown = Shutdown::default();
    let app = Setup {
        shutdown: shutdown.clone(),
        ..Setup::default()
    }
    .start()
    .await;
    let before = app.viewer().get("/projects").await;
    assert_eq!(
        (before.status.as_u16(), before.header(reqwest::header::CONNECTION)),
        (200, None)
    );
    shutdown.start();
    let expected = ("serving".to_owned(), "the process is stopping".to_owned());
    assert_eq!(problems(&app, 503).await, [expected]);
    for (path, status) in [
        ("/projects", 200),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/nothing", 404),
    ] {
        let answer = app.viewer().get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header(reqwest::header::CONNECTION), Some("close"), "{path}");
    }
}
