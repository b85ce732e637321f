//! The header `Idempotency-Key` where a credential or an API key is made: both or neither are in the database.

use std::sync::Arc;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::acme;
use storage::KeyRing;

use super::replica;
use crate::support::{Answer, Setup, TestApp};

const PATHS: [&str; 2] = ["/credentials", "/api-keys"];

/// What to make at that path.
fn body(app: &TestApp, path: &str) -> Value {
    match path {
        "/credentials" => json!({
            "name": "production", "account_id": acme::ACCOUNT_ID, "token": acme::USER_TOKEN,
            "access_url": app.dbt.base_url(),
        }),
        _ => json!({"name": "frontend", "role": "viewer"}),
    }
}

async fn make_at(gateway: &TestApp, key: &str, path: &str, body: &Value) -> Answer {
    let admin = gateway.with_key(key);
    let request = admin.request(Method::POST, path).header("idempotency-key", path);
    admin.send(request.json(body)).await
}

async fn make(app: &TestApp, path: &str, body: &Value) -> Answer {
    make_at(app, app.key(model::Role::Admin), path, body).await
}

/// How many the test has made at that path.
async fn made(app: &TestApp, path: &str) -> usize {
    let list = app.caller(model::Role::Admin).get(path).await.expect(200);
    let all = list["results"].as_array().unwrap().iter();
    all.filter(|each| ["production", "frontend"].contains(&each["name"].as_str().unwrap()))
        .count()
}

/// Checks a repeat against the first answer.
fn assert_repeats(first: &Answer, repeat: &Answer, path: &str) {
    if path == "/credentials" {
        assert_eq!(repeat.expect(201), first.expect(201));
        assert_eq!(repeat.header("location"), first.header("location"));
        assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    } else {
        let problem = repeat.problem(409, "idempotency-not-replayable");
        let location = first.header("location").unwrap();
        assert_eq!(problem["errors"]["location"], location);
        assert!(problem["detail"].as_str().unwrap().contains(location));
        assert!(!repeat.text.contains(first.json()["key"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn a_repeat_makes_nothing_at_any_replica_and_after_a_restart() {
    let setup = || Setup {
        key_ring: Some(Arc::new(KeyRing::generate("test").unwrap())),
        ..Setup::default()
    };
    let app = setup().start().await;
    for path in PATHS {
        let body = body(&app, path);
        let first = make(&app, path, &body).await;
        assert_eq!(
            (first.status.as_u16(), first.header("idempotency-replayed")),
            (201, None)
        );
        let row = app.row_of(&first).await;
        assert_eq!(row["args"]["idempotency_key"], path);
        assert_repeats(&first, &make(&app, path, &body).await, path);
        // A process that starts later has no encryption key in common with the first: a repeat needs none.
        let later = replica(&app, 2, setup()).await;
        let repeat = make_at(&later, app.key(model::Role::Admin), path, &body).await;
        assert_repeats(&first, &repeat, path);
        assert_eq!(made(&app, path).await, 1);
        let mut changed = body.clone();
        changed["name"] = json!("another");
        let problem = make(&app, path, &changed).await;
        let differs = &problem.problem(422, "idempotency-mismatch")["errors"]["differs"];
        assert!(differs.as_array().unwrap().contains(&json!("name")), "{differs}");
    }
    assert!(app.dbt.requests().is_empty(), "dbt Cloud is not asked");
}

#[tokio::test]
async fn another_token_is_another_request_and_no_token_is_stored() {
    let app = TestApp::start().await;
    let mut body = body(&app, "/credentials");
    make(&app, "/credentials", &body).await.expect(201);
    body["token"] = json!("dbtc_another_token");
    let problem = make(&app, "/credentials", &body).await;
    let differs = &problem.problem(422, "idempotency-mismatch")["errors"]["differs"];
    assert_eq!(differs, &json!(["token"]));
    let stored: String = sqlx::query_scalar("SELECT to_jsonb(k)::text FROM idempotency_key k")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    assert!(!stored.contains(acme::USER_TOKEN));
}

#[tokio::test]
async fn the_first_answer_stays_though_the_credential_is_gone_or_the_input_would_be_refused_now() {
    let app = TestApp::start().await;
    let first = make(&app, "/credentials", &body(&app, "/credentials")).await;
    let admin = app.caller(model::Role::Admin);
    assert_eq!(admin.delete("/credentials/production").await.status, 204);
    let repeat = make(&app, "/credentials", &body(&app, "/credentials")).await;
    assert_repeats(&first, &repeat, "/credentials");
    assert_eq!(made(&app, "/credentials").await, 0);
    let soon = json!({"name": "frontend", "role": "viewer", "expires_at": "2026-02-01T00:00:00Z"});
    let first = make(&app, "/api-keys", &soon).await;
    app.clock.advance(chrono::TimeDelta::days(30));
    assert_repeats(&first, &make(&app, "/api-keys", &soon).await, "/api-keys");
}

#[tokio::test]
async fn a_refused_request_keeps_no_key() {
    let app = TestApp::start().await;
    app.caller(model::Role::Admin)
        .post("/credentials", &body(&app, "/credentials"))
        .await
        .expect(201);
    make(&app, "/credentials", &body(&app, "/credentials"))
        .await
        .problem(409, "conflict");
    let past = json!({"name": "frontend", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"});
    make(&app, "/api-keys", &past).await.problem(400, "invalid-request");
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_key")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    assert_eq!(keys, 0);
    make(&app, "/api-keys", &body(&app, "/api-keys")).await.expect(201);
}

#[tokio::test]
async fn what_postgres_refuses_to_commit_leaves_neither_the_record_nor_the_key() {
    let app = TestApp::start().await;
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
         CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON credential DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse();
         CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON api_key DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .execute(app.database.pool())
    .await
    .unwrap();
    for path in PATHS {
        let refused = make(&app, path, &body(&app, path)).await;
        assert!(refused.status.is_server_error(), "{}", refused.status);
    }
    sqlx::raw_sql("DROP TRIGGER refuse ON credential; DROP TRIGGER refuse ON api_key")
        .execute(app.database.pool())
        .await
        .unwrap();
    for path in PATHS {
        assert_eq!(made(&app, path).await, 0);
        let again = make(&app, path, &body(&app, path)).await;
        assert_eq!(again.status, 201, "{}", again.text);
        assert_eq!(made(&app, path).await, 1);
    }
}

#[tokio::test]
async fn an_expired_key_is_that_of_a_new_request() {
    let app = TestApp::start().await;
    let body = body(&app, "/api-keys");
    let first = make(&app, "/api-keys", &body).await.expect(201);
    sqlx::query("UPDATE idempotency_key SET expires_at = clock_timestamp() - interval '1 second'")
        .execute(app.database.pool())
        .await
        .unwrap();
    let second = make(&app, "/api-keys", &body).await;
    assert_ne!(second.expect(201)["id"], first["id"]);
    let repeat = make(&app, "/api-keys", &body).await;
    assert_repeats(&second, &repeat, "/api-keys");
}

#[tokio::test]
async fn duplicates_at_two_replicas_make_one_and_none_waits_with_a_connection() {
    let app = TestApp::start().await;
    let other = replica(&app, 2, Setup::default()).await;
    let body = body(&app, "/api-keys");
    let key = app.key(model::Role::Admin);
    // A transaction under way holds the key.
    let mut under_way = app.database.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('/api-keys', id)) FROM api_key WHERE role = 'admin'")
        .execute(&mut *under_way)
        .await
        .unwrap();
    let answer = make(&app, "/api-keys", &body).await;
    answer.problem(409, "idempotency-in-flight");
    assert!(answer.header("retry-after").is_some());
    under_way.rollback().await.unwrap();
    let answers = join_all((0..40).map(|index| {
        let gateway = if index % 2 == 0 { &app } else { &other };
        make_at(gateway, key, "/api-keys", &body)
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(made(&app, "/api-keys").await, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.status, 409, "{}", answer.text);
    }
}
