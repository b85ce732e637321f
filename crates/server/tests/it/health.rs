//! Routes without a key: welcome, liveness and readiness.

use std::sync::Arc;

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::Shutdown;
use simulator::acme;
use storage::KeyRing;

use crate::support::{Setup, TestApp};

#[tokio::test]
async fn without_a_key_the_welcome_page_and_health_checks_are_served() {
    let app = TestApp::start().await;
    let welcome = app.without_key().get("/").await.expect(200);
    assert_eq!(welcome["name"], "dbt-gateway");
    for link in ["docs", "openapi"] {
        let answer = app.without_key().get(welcome[link].as_str().unwrap()).await;
        assert!(
            answer.status.is_success() || answer.status.is_redirection(),
            "{link}: {answer:#?}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        let answer = app.without_key().get(path).await;
        assert_eq!(answer.expect(200), serde_json::json!({"status": "ok"}));
        assert!(!answer.request_uuid().is_empty());
    }
    assert_eq!(app.rows().await.len(), 0, "none of these has a row");
    assert!(app.dbt.requests().is_empty(), "health checks do not contact dbt Cloud");
}

#[tokio::test]
async fn head_probes_are_answered_like_get_without_the_body() {
    let app = TestApp::start().await;
    for path in ["/", "/healthz", "/readyz"] {
        let answer = app
            .without_key()
            .send(app.without_key().request(Method::HEAD, path))
            .await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn without_its_database_a_gateway_is_alive_but_not_ready() {
    let app = Setup {
        database_url: Some("postgres://user@%2Fno%2Fsuch%2Fsocket/nothing".to_owned()),
        ..Setup::default()
    }
    .start()
    .await;
    assert_eq!(app.without_key().get("/healthz").await.expect(200)["status"], "ok");
    let answer = app.without_key().get("/readyz").await;
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

/// The failed checks that an admin sees, with their messages.
async fn problems(app: &TestApp, status: u16) -> Vec<(String, String)> {
    let health = app.caller(Role::Admin).get("/readyz").await.expect(status);
    let checks = health["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "database",
            "migrations",
            "encryption_keys",
            "request_log",
            "dbt_circuits",
            "serving"
        ]
    );
    let failed = checks.iter().filter(|check| check["ok"] == false);
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    failed
        .map(|check| (text(check, "name"), text(check, "message")))
        .collect()
}

#[tokio::test]
async fn only_admins_see_the_single_checks_of_readyz() {
    let app = TestApp::start().await;
    assert_eq!(problems(&app, 200).await, []);
    for caller in [
        app.without_key(),
        app.viewer(),
        app.operator(),
        app.with_key("dgw_no_key"),
    ] {
        assert_eq!(caller.get("/readyz").await.expect(200), json!({"status": "ok"}));
    }
    assert_eq!(app.rows().await.len(), 0, "none of these has a row");
}

#[tokio::test]
async fn an_outdated_database_is_not_ready_and_a_newer_one_is() {
    let behind = TestApp::start().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(behind.database.pool())
        .await
        .unwrap();
    let failed = problems(&behind, 503).await;
    assert_eq!((failed.len(), failed[0].0.as_str()), (1, "migrations"), "{failed:?}");
    assert!(failed[0].1.contains("this version needs 2026"), "{failed:?}");

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
async fn a_missing_encryption_key_is_reported_by_its_id_without_a_failure() {
    let ring = KeyRing::parse(&format!("2026:{}=", "A".repeat(43))).unwrap();
    let app = Setup {
        key_ring: Some(Arc::new(ring)),
        ..Setup::default()
    }
    .start()
    .await;
    let credential = json!({
        "name": "stored", "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url(),
    });
    app.caller(Role::Admin)
        .post("/credentials", &credential)
        .await
        .expect(201);
    sqlx::query("UPDATE credential SET token_sealed = replace(token_sealed, '.2026.', '.2025.')")
        .execute(app.database.pool())
        .await
        .unwrap();
    let ready = app.caller(Role::Admin).get("/readyz").await.expect(200);
    let checks = ready["checks"].as_array().unwrap();
    let keys = checks.iter().find(|check| check["name"] == "encryption_keys").unwrap();
    // The credentials with that key fail alone.
    assert_eq!(keys["ok"], true);
    assert!(keys["message"].as_str().unwrap().contains("2025"), "{keys}");
}

#[tokio::test]
async fn a_stopping_process_is_not_ready_but_answers_and_closes_each_connection() {
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
