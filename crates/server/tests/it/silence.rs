//! A Postgres that falls silent, or whose request log cannot be written: callers are answered in time, keys can be revoked,
//! and `/readyz` says so.

use std::time::Duration;

use client::{DiskCheck, HealthSignals, PartitionsAhead};
use model::Role;
use serde_json::json;
use storage::LastSuccess;
use testkit::Flow;
use tokio::time::timeout;

use crate::support::{COMPANY, FOREVER, Setup, TestApp, eventually};

/// The deadline of statements.
const DEADLINE: Duration = Duration::from_millis(500);
/// Ends a test that would otherwise wait for ever.
const TIMEOUT: Duration = Duration::from_mins(1);

async fn failed_checks(app: &TestApp) -> Vec<String> {
    let answer = app.caller(Role::Admin).get("/readyz").await;
    let health = answer.json();
    let checks = health["checks"].as_array().cloned().unwrap_or_default();
    let failed = checks.into_iter().filter(|check| check["ok"] == json!(false));
    failed.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn callers_on_silent_connections_are_answered_and_the_next_one_succeeds() {
    let app = Setup {
        proxied: Some(DEADLINE),
        ..Setup::default()
    }
    .start()
    .await;
    app.viewer().get("/projects").await.expect(200);
    let other = app.create_key(COMPANY, Role::Viewer).await;
    app.proxy.set_existing(Flow::OnlyPings);

    // Its key is not cached: the look-up meets a silent connection.
    let first = timeout(TIMEOUT, app.with_key(&other).get("/api-keys")).await.unwrap();
    assert_eq!(first.status, 503, "{first:#?}");
    let again = timeout(TIMEOUT, app.with_key(&other).get("/projects")).await.unwrap();
    again.expect(200);
}

#[tokio::test]
async fn a_silent_postgres_makes_the_gateway_unready_and_not_slow() {
    let app = Setup {
        proxied: Some(FOREVER),
        ..Setup::default()
    }
    .start()
    .await;
    assert_eq!(app.without_key().get("/readyz").await.status, 200);
    app.proxy.set(Flow::Swallow);
    let unready = async { while app.without_key().get("/readyz").await.status != 503 {} };
    timeout(TIMEOUT, unready).await.unwrap();
    app.proxy.set(Flow::Pass);
    let ready = async { while app.without_key().get("/readyz").await.status != 200 {} };
    timeout(TIMEOUT, ready).await.unwrap();
}

#[tokio::test]
async fn a_key_is_revoked_while_the_log_cannot_be_written_and_its_row_follows() {
    let app = Setup {
        log_wait: Duration::from_millis(100),
        ..Setup::default()
    }
    .start()
    .await;
    let key = json!({"name": "leaked", "role": "viewer"});
    let created = app.caller(Role::Admin).post("/api-keys", &key).await.expect(201);
    let leaked = created["key"].as_str().unwrap().to_owned();
    app.with_key(&leaked).get("/projects").await.expect(200);
    let pool = app.database.pool();
    let rename = "ALTER TABLE request_log RENAME TO request_log_away";
    sqlx::query(rename).execute(pool).await.unwrap();

    let revoked = app
        .caller(Role::Admin)
        .delete(&format!("/api-keys/{}", created["id"]))
        .await;
    assert_eq!(revoked.status, 204, "{revoked:#?}");
    app.with_key(&leaked)
        .get("/projects")
        .await
        .problem(401, "unauthenticated");
    assert_eq!(failed_checks(&app).await, ["request_log"]);

    let back = "ALTER TABLE request_log_away RENAME TO request_log";
    sqlx::query(back).execute(pool).await.unwrap();
    eventually(async || {
        let rows = app.rows().await;
        rows.into_iter().find(|row| row["request_type"] == "revoke_api_key")
    })
    .await;
    eventually(async || failed_checks(&app).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn readiness_needs_a_heartbeat_partitions_and_a_disk() {
    let app = Setup {
        signals: HealthSignals {
            heartbeat: Some((LastSuccess::default(), FOREVER)),
            partitions: Some(PartitionsAhead::default()),
            disk: Some(DiskCheck::new(|| Ok(0), 1)),
        },
        ..Setup::default()
    }
    .start()
    .await;
    assert_eq!(failed_checks(&app).await, ["heartbeat", "partitions", "disk"]);
    assert_eq!(
        app.without_key().get("/readyz").await.expect(503),
        json!({"status": "unavailable"})
    );

    let (heartbeat, partitions) = (LastSuccess::default(), PartitionsAhead::default());
    heartbeat.record();
    let day = chrono::NaiveDate::from_ymd_opt(9999, 1, 1).unwrap();
    partitions.record(day);
    let app = Setup {
        signals: HealthSignals {
            heartbeat: Some((heartbeat, FOREVER)),
            partitions: Some(partitions),
            disk: Some(DiskCheck::new(|| Ok(1), 1)),
        },
        ..Setup::default()
    }
    .start()
    .await;
    assert_eq!(failed_checks(&app).await, [""; 0]);
}

#[tokio::test]
async fn a_cursor_beyond_the_range_of_moments_is_the_callers_mistake() {
    let app = TestApp::start().await;
    // The year -257,000.
    let micros = chrono::DateTime::from_timestamp(-8_172_000_000_000, 0)
        .unwrap()
        .timestamp_micros();
    let mut bytes = micros.to_be_bytes().to_vec();
    bytes.extend([0; 16]);
    let cursor = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
    let answer = app.viewer().get(&format!("/request-logs?cursor={cursor}")).await;
    assert_eq!(answer.status, 400, "{answer:#?}");
    for moment in ["-257000-01-01T00:00:00Z", "%2B10000-01-01T00:00:00Z"] {
        let answer = app.viewer().get(&format!("/request-logs?from={moment}")).await;
        assert_eq!(answer.status, 400, "{answer:#?}");
    }
    for moment in ["0000-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"] {
        app.viewer()
            .get(&format!("/request-logs?from={moment}"))
            .await
            .expect(200);
    }
}
