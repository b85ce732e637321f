//! Keys: created, listed, limited and revoked; a new key has no more rights than the key that creates it.

use chrono::TimeDelta;
use model::{Clock as _, RequestType, Role};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{acme, globex};

use crate::support::{Answer, COMPANY, Caller, Setup, TestApp, invented_ids};

fn admin(app: &TestApp) -> Caller<'_> {
    app.caller(Role::Admin)
}

/// Creates a key and returns the answer.
async fn create(caller: &Caller<'_>, key: &Value) -> Value {
    caller.post("/api-keys", key).await.expect(201)
}

fn text(key: &Value) -> &str {
    key["key"].as_str().unwrap()
}

/// Company 1 has both accounts.
async fn two_accounts() -> TestApp {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    setup.start().await
}

fn refused_field(answer: &Answer) -> String {
    let problem = answer.problem(400, "invalid-request");
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem:#}"));
    assert_eq!(errors.len(), 1);
    errors[0]["field"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_and_has_the_rights_of_its_role() {
    let app = TestApp::start().await;
    let answer = admin(&app)
        .post("/api-keys", &json!({"name": "orders frontend", "role": "viewer"}))
        .await;
    let mut created = answer.expect(201);
    let location = format!("/api-keys/{}", created["id"]);
    assert_eq!(answer.header(LOCATION), Some(location.as_str()));
    let key = created.as_object_mut().unwrap().remove("key").unwrap();
    let key = key.as_str().unwrap();
    let prefix = created["prefix"].as_str().unwrap();
    assert!(
        key.starts_with(&format!("{prefix}_")) && prefix.starts_with("dgw_"),
        "{prefix}"
    );
    for (field, value) in [
        ("name", json!("orders frontend")),
        ("role", json!("viewer")),
        ("accounts", Value::Null),
        ("default_account_id", Value::Null),
        ("expires_at", Value::Null),
        ("revoked_at", Value::Null),
        ("last_used_at", Value::Null),
    ] {
        assert_eq!(created[field], value, "{field}");
    }

    let got = admin(&app).get(&location).await;
    assert_eq!(got.expect(200), created);
    let list = admin(&app).get("/api-keys").await;
    let results = list.expect(200)["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 4, "one of each role is there from the start");
    assert_eq!(results.last(), Some(&created));
    assert!(!got.text.contains(key) && !list.text.contains(key), "shown once");

    assert_eq!(app.with_key(key).get("/projects").await.status, 200);
    app.with_key(key).get("/api-keys").await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_limited_to_accounts_creates_no_key_for_others() {
    let app = two_accounts().await;
    let limited = json!({"name": "limited", "role": "admin", "accounts": [globex::ACCOUNT_ID]});
    let limited = create(&admin(&app), &limited).await;
    let limited = app.with_key(text(&limited));

    for body in [
        json!({"name": "x", "role": "viewer", "accounts": [acme::ACCOUNT_ID]}),
        json!({"name": "x", "role": "viewer", "accounts": [globex::ACCOUNT_ID, acme::ACCOUNT_ID]}),
        json!({"name": "x", "role": "viewer", "default_account_id": acme::ACCOUNT_ID}),
    ] {
        let answer = limited.post("/api-keys", &body).await;
        answer.problem(404, "not-found");
        let row = app.row_of(&answer).await;
        let logged = (&row["request_type"], &row["outcome"], &row["account_id"]);
        assert_eq!(
            logged,
            (&json!("create_api_key"), &json!("refused"), &json!(acme::ACCOUNT_ID)),
            "{body}"
        );
    }
    let inherited = create(&limited, &json!({"name": "inherited", "role": "viewer"})).await;
    assert_eq!(
        inherited["accounts"],
        json!([globex::ACCOUNT_ID]),
        "the limit is inherited"
    );
    assert_eq!(
        app.with_key(text(&inherited)).get("/projects").await.ids(),
        [globex::PROJECT_ID]
    );

    // It neither sees nor creates credentials of other accounts.
    let body = json!({"name": "x", "account_id": acme::ACCOUNT_ID, "token": "dbtc_1"});
    limited.post("/credentials", &body).await.problem(404, "not-found");
    let seen = limited.get("/credentials").await.expect(200);
    assert_eq!(seen["count"], 1);
    assert_eq!(seen["results"][0]["account_id"], globex::ACCOUNT_ID);
}

#[tokio::test]
async fn a_key_limited_to_accounts_reaches_no_other() {
    let app = two_accounts().await;
    let body = json!({"name": "x", "role": "operator", "accounts": [acme::ACCOUNT_ID]});
    let created = create(&admin(&app), &body).await;
    assert_eq!(created["accounts"], json!([acme::ACCOUNT_ID]));
    let caller = app.with_key(text(&created));
    assert_eq!(
        caller.get("/projects").await.ids().len(),
        acme::ACTIVE_PROJECTS,
        "the only account is used"
    );
    let globex_account = globex::ACCOUNT_ID;
    let run = format!("/jobs/{}/runs?account_id={globex_account}", globex::JOB_ID);
    for answer in [
        caller.get(&format!("/projects?account_id={globex_account}")).await,
        caller
            .get(&format!("/projects?credential=account+{globex_account}"))
            .await,
        caller.post(&run, &json!({"cause": "x"})).await,
    ] {
        answer.problem(404, "not-found");
        assert_eq!(app.row_of(&answer).await["outcome"], "refused");
    }
}

#[tokio::test]
async fn the_default_account_of_a_new_key_is_used_if_none_is_named() {
    let app = two_accounts().await;
    let body = json!({
        "name": "x", "role": "viewer", "accounts": [acme::ACCOUNT_ID, globex::ACCOUNT_ID],
        "default_account_id": globex::ACCOUNT_ID,
    });
    let created = create(&admin(&app), &body).await;
    assert_eq!(created["default_account_id"], globex::ACCOUNT_ID);
    assert_eq!(
        app.with_key(text(&created)).get("/projects").await.ids(),
        [globex::PROJECT_ID]
    );
}

#[tokio::test]
async fn invalid_keys_are_not_created() {
    let app = TestApp::start().await;
    let past = app.clock.now() - TimeDelta::seconds(1);
    for (field, body) in [
        ("name", json!({"name": "", "role": "viewer"})),
        ("name", json!({"name": "x".repeat(201), "role": "viewer"})),
        ("name", json!({"name": "a\u{0}b", "role": "viewer"})),
        (
            "accounts[1]",
            json!({"name": "x", "role": "viewer", "accounts": [1, 0]}),
        ),
        (
            "accounts",
            json!({"name": "x", "role": "viewer", "accounts": vec![1; 1001]}),
        ),
        (
            "default_account_id",
            json!({"name": "x", "role": "viewer", "default_account_id": -1}),
        ),
        (
            "default_account_id",
            json!({"name": "x", "role": "viewer", "accounts": [1, 2], "default_account_id": 3}),
        ),
        ("expires_at", json!({"name": "x", "role": "viewer", "expires_at": past})),
        (
            "expires_at",
            json!({"name": "x", "role": "viewer", "expires_at": app.clock.now()}),
        ),
    ] {
        let refused = admin(&app).post("/api-keys", &body).await;
        assert_eq!(refused_field(&refused), field, "{body}");
    }
    for body in [
        json!({"name": "x"}),
        json!({"name": "x", "role": "root"}),
        json!({"name": "x", "role": "viewer", "expires_at": "soon"}),
        json!({"name": "x", "role": "viewer", "accounts": ["1"]}),
        json!({"name": "x", "role": "viewer", "company_id": 2}),
        json!({"name": "x", "role": "viewer", "key": "dgw_mine"}),
    ] {
        admin(&app)
            .post("/api-keys", &body)
            .await
            .problem(400, "invalid-request");
    }
    assert_eq!(admin(&app).get("/api-keys").await.expect(200)["count"], 3);
}

#[tokio::test]
async fn a_key_expires_on_time() {
    let app = TestApp::start().await;
    let end = app.clock.now() + TimeDelta::minutes(5);
    let created = create(&admin(&app), &json!({"name": "x", "role": "viewer", "expires_at": end})).await;
    let caller = app.with_key(text(&created));
    assert_eq!(caller.get("/projects").await.status, 200);
    app.clock.advance(TimeDelta::seconds(299));
    assert_eq!(caller.get("/projects").await.status, 200);
    app.clock.advance(TimeDelta::seconds(1));
    caller.get("/projects").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_revoked_key_is_refused_immediately_by_the_same_process() {
    let app = TestApp::start().await;
    let created = create(&admin(&app), &json!({"name": "x", "role": "operator"})).await;
    let caller = app.with_key(text(&created));
    assert_eq!(
        caller.get("/projects").await.status,
        200,
        "the key is cached from here on"
    );
    let path = format!("/api-keys/{}", created["id"]);
    let revoked = admin(&app).delete(&path).await;
    assert_eq!((revoked.status.as_u16(), revoked.text.as_str()), (204, ""));
    caller.get("/projects").await.problem(401, "unauthenticated");

    let shown = admin(&app).get(&path).await.expect(200);
    assert!(shown["revoked_at"].is_string(), "still listed: {shown:#}");
    assert_eq!(admin(&app).delete(&path).await.status, 204, "revoking is idempotent");
    assert_eq!(
        admin(&app).get(&path).await.expect(200)["revoked_at"],
        shown["revoked_at"]
    );
    for unknown in ["/api-keys/4711", "/api-keys/9223372036854775807"] {
        admin(&app).get(unknown).await.problem(404, "not-found");
        admin(&app).delete(unknown).await.problem(404, "not-found");
    }
    for bad in ["/api-keys/0", "/api-keys/-1", "/api-keys/x"] {
        admin(&app).get(bad).await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn the_last_use_of_a_key_is_recorded_to_the_minute() {
    let app = TestApp::start().await;
    let created = create(&admin(&app), &json!({"name": "x", "role": "viewer"})).await;
    let path = format!("/api-keys/{}", created["id"]);
    let last_used = async || admin(&app).get(&path).await.expect(200)["last_used_at"].clone();
    app.clock.advance(TimeDelta::seconds(100));
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, Value::Null, "created, not used");

    assert_eq!(app.with_key(text(&created)).get("/projects").await.status, 200);
    assert_eq!(last_used().await, Value::Null, "written in the background");
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, "2026-01-15T09:01:00Z");

    app.clock.advance(TimeDelta::minutes(10));
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, "2026-01-15T09:01:00Z", "not used since");
}

#[tokio::test]
async fn creating_and_revoking_a_key_have_one_row_each_without_the_key() {
    let app = TestApp::start().await;
    let body = json!({"name": "logged", "role": "operator", "accounts": [acme::ACCOUNT_ID]});
    let created = admin(&app).post("/api-keys", &body).await;
    let key = created.expect(201);
    let revoked = admin(&app).delete(&format!("/api-keys/{}", key["id"])).await;
    let rows = app.rows().await;
    assert_eq!(rows.len(), 2);
    let secret = text(&key).rsplit('_').next().unwrap();
    for (answer, request_type) in [
        (&created, RequestType::CreateApiKey),
        (&revoked, RequestType::RevokeApiKey),
    ] {
        let row = app.row_of(answer).await;
        assert_eq!(row["request_type"], request_type.as_str());
        assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(0)));
        assert_eq!(row["args"]["api_key_id"], key["id"]);
        assert!(
            row["api_key_id"].is_number() && row["api_key_id"] != key["id"],
            "the key that did it: {row:#}"
        );
        assert!(!row.to_string().contains(secret));
    }
}

#[tokio::test]
async fn admin_operations_refuse_other_roles_with_a_row() {
    let app = TestApp::start().await;
    let mut refusals = 0;
    for operation in crate::support::operations() {
        let Some(request_type) = operation.request_type().filter(|each| each.needs() == Role::Admin) else {
            continue;
        };
        // The refusal is the same whether these exist or not.
        let names = crate::support::Names {
            account: acme::ACCOUNT_ID,
            project: 1,
            job: 1,
            run: 1,
            running_run: 1,
            failed_run: 1,
            credential: "unknown".to_owned(),
            api_key: 4711,
            request_uuid: String::new(),
            unused_name: "new".to_owned(),
            other_ids: invented_ids(),
        };
        for role in [Role::Viewer, Role::Operator] {
            let answer = operation
                .ask(&app.caller(role), &operation.address(&names), &names)
                .await;
            answer.problem(403, "forbidden");
            let row = app.row_of(&answer).await;
            assert_eq!(row["request_type"], request_type.as_str());
            assert_eq!(row["outcome"], "refused");
            refusals += 1;
        }
    }
    assert_eq!(app.rows().await.len(), refusals);
    assert_eq!(admin(&app).get("/api-keys").await.expect(200)["count"], 3);
}
