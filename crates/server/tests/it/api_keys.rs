//! Callers' keys by API: made, listed, limited and revoked; what a key may not do is not in a key that it makes.

use chrono::TimeDelta;
use model::{Clock as _, RequestType, Role};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{acme, globex};

use crate::support::{Answer, COMPANY, Caller, Setup, TestApp};

fn admin(app: &TestApp) -> Caller<'_> {
    app.caller(Role::Admin)
}

/// Makes a key, and says what was answered.
async fn make(caller: &Caller<'_>, order: &Value) -> Value {
    caller.post("/api-keys", order).await.expect(201)
}

fn text(made: &Value) -> &str {
    made["key"].as_str().unwrap()
}

/// Company 1 holds both accounts.
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
async fn a_key_is_told_once_and_opens_what_its_role_may() {
    let app = TestApp::start().await;
    let answer = admin(&app)
        .post("/api-keys", &json!({"name": "orders frontend", "role": "viewer"}))
        .await;
    let mut made = answer.expect(201);
    let location = format!("/api-keys/{}", made["id"]);
    assert_eq!(answer.header(LOCATION), Some(location.as_str()));
    let key = made.as_object_mut().unwrap().remove("key").unwrap();
    let key = key.as_str().unwrap();
    let prefix = made["prefix"].as_str().unwrap();
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
        assert_eq!(made[field], value, "{field}");
    }

    let got = admin(&app).get(&location).await;
    assert_eq!(got.expect(200), made);
    let list = admin(&app).get("/api-keys").await;
    let results = list.expect(200)["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), 4, "one of each role is there from the start");
    assert_eq!(results.last(), Some(&made));
    assert!(!got.text.contains(key) && !list.text.contains(key), "told once");

    assert_eq!(app.with_key(key).get("/projects").await.status, 200);
    app.with_key(key).get("/api-keys").await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_limited_to_accounts_makes_no_key_for_others() {
    let app = two_accounts().await;
    let limited = json!({"name": "limited", "role": "admin", "accounts": [globex::ACCOUNT_ID]});
    let limited = make(&admin(&app), &limited).await;
    let limited = app.with_key(text(&limited));

    for order in [
        json!({"name": "x", "role": "viewer", "accounts": [acme::ACCOUNT_ID]}),
        json!({"name": "x", "role": "viewer", "accounts": [globex::ACCOUNT_ID, acme::ACCOUNT_ID]}),
        json!({"name": "x", "role": "viewer", "default_account_id": acme::ACCOUNT_ID}),
    ] {
        let answer = limited.post("/api-keys", &order).await;
        answer.problem(404, "not-found");
        let row = app.row_of(&answer).await;
        let told = (&row["request_type"], &row["outcome"], &row["account_id"]);
        assert_eq!(
            told,
            (&json!("create_api_key"), &json!("refused"), &json!(acme::ACCOUNT_ID)),
            "{order}"
        );
    }
    let heir = make(&limited, &json!({"name": "heir", "role": "viewer"})).await;
    assert_eq!(heir["accounts"], json!([globex::ACCOUNT_ID]), "not more than its maker");
    assert_eq!(
        app.with_key(text(&heir)).get("/projects").await.ids(),
        [globex::PROJECT_ID]
    );

    // Nor does it see or make a credential of another account.
    let order = json!({"name": "x", "account_id": acme::ACCOUNT_ID, "token": "dbtc_1"});
    limited.post("/credentials", &order).await.problem(404, "not-found");
    let seen = limited.get("/credentials").await.expect(200);
    assert_eq!(seen["count"], 1);
    assert_eq!(seen["results"][0]["account_id"], globex::ACCOUNT_ID);
}

#[tokio::test]
async fn a_key_limited_to_accounts_reaches_no_other() {
    let app = two_accounts().await;
    let order = json!({"name": "x", "role": "operator", "accounts": [acme::ACCOUNT_ID]});
    let made = make(&admin(&app), &order).await;
    assert_eq!(made["accounts"], json!([acme::ACCOUNT_ID]));
    let caller = app.with_key(text(&made));
    assert_eq!(
        caller.get("/projects").await.ids().len(),
        acme::ACTIVE_PROJECTS,
        "the only one is clear"
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
async fn a_keys_default_account_answers_where_none_is_named() {
    let app = two_accounts().await;
    let order = json!({
        "name": "x", "role": "viewer", "accounts": [acme::ACCOUNT_ID, globex::ACCOUNT_ID],
        "default_account_id": globex::ACCOUNT_ID,
    });
    let made = make(&admin(&app), &order).await;
    assert_eq!(made["default_account_id"], globex::ACCOUNT_ID);
    assert_eq!(
        app.with_key(text(&made)).get("/projects").await.ids(),
        [globex::PROJECT_ID]
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_is_not_made() {
    let app = TestApp::start().await;
    let past = app.clock.now() - TimeDelta::seconds(1);
    for (field, order) in [
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
        let refused = admin(&app).post("/api-keys", &order).await;
        assert_eq!(refused_field(&refused), field, "{order}");
    }
    for order in [
        json!({"name": "x"}),
        json!({"name": "x", "role": "root"}),
        json!({"name": "x", "role": "viewer", "expires_at": "soon"}),
        json!({"name": "x", "role": "viewer", "accounts": ["1"]}),
        json!({"name": "x", "role": "viewer", "company_id": 2}),
        json!({"name": "x", "role": "viewer", "key": "dgw_mine"}),
    ] {
        admin(&app)
            .post("/api-keys", &order)
            .await
            .problem(400, "invalid-request");
    }
    assert_eq!(admin(&app).get("/api-keys").await.expect(200)["count"], 3);
}

#[tokio::test]
async fn a_key_ends_when_it_was_told_to() {
    let app = TestApp::start().await;
    let end = app.clock.now() + TimeDelta::minutes(5);
    let made = make(&admin(&app), &json!({"name": "x", "role": "viewer", "expires_at": end})).await;
    let caller = app.with_key(text(&made));
    assert_eq!(caller.get("/projects").await.status, 200);
    app.clock.advance(TimeDelta::seconds(299));
    assert_eq!(caller.get("/projects").await.status, 200);
    app.clock.advance(TimeDelta::seconds(1));
    caller.get("/projects").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_this_process_at_once() {
    let app = TestApp::start().await;
    let made = make(&admin(&app), &json!({"name": "x", "role": "operator"})).await;
    let caller = app.with_key(text(&made));
    assert_eq!(
        caller.get("/projects").await.status,
        200,
        "it is believed for a while from here on"
    );
    let path = format!("/api-keys/{}", made["id"]);
    let gone = admin(&app).delete(&path).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    caller.get("/projects").await.problem(401, "unauthenticated");

    let shown = admin(&app).get(&path).await.expect(200);
    assert!(shown["revoked_at"].is_string(), "still listed: {shown:#}");
    assert_eq!(admin(&app).delete(&path).await.status, 204, "again is fine");
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
async fn the_last_use_of_a_key_is_known_to_the_minute() {
    let app = TestApp::start().await;
    let made = make(&admin(&app), &json!({"name": "x", "role": "viewer"})).await;
    let path = format!("/api-keys/{}", made["id"]);
    let last_used = async || admin(&app).get(&path).await.expect(200)["last_used_at"].clone();
    app.clock.advance(TimeDelta::seconds(100));
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, Value::Null, "made, not used");

    assert_eq!(app.with_key(text(&made)).get("/projects").await.status, 200);
    assert_eq!(last_used().await, Value::Null, "written in the background");
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, "2026-01-15T09:01:00Z");

    app.clock.advance(TimeDelta::minutes(10));
    app.clients.record_key_use().await.unwrap();
    assert_eq!(last_used().await, "2026-01-15T09:01:00Z", "not used since");
}

#[tokio::test]
async fn making_and_revoking_are_one_row_each_without_the_key() {
    let app = TestApp::start().await;
    let order = json!({"name": "for the books", "role": "operator", "accounts": [acme::ACCOUNT_ID]});
    let made = admin(&app).post("/api-keys", &order).await;
    let key = made.expect(201);
    let revoked = admin(&app).delete(&format!("/api-keys/{}", key["id"])).await;
    let rows = app.rows().await;
    assert_eq!(rows.len(), 2);
    let secret = text(&key).rsplit('_').next().unwrap();
    for (answer, request_type) in [
        (&made, RequestType::CreateApiKey),
        (&revoked, RequestType::RevokeApiKey),
    ] {
        let row = app.row_of(answer).await;
        assert_eq!(row["request_type"], request_type.as_str());
        assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(0)));
        assert_eq!(row["args"]["api_key_id"], key["id"]);
        assert!(
            row["api_key_id"].is_number() && row["api_key_id"] != key["id"],
            "who did it: {row:#}"
        );
        assert!(!row.to_string().contains(secret));
    }
}

#[tokio::test]
async fn who_is_no_admin_is_refused_with_a_row_on_every_route_for_admins() {
    let app = TestApp::start().await;
    let mut refusals = 0;
    for operation in crate::support::operations() {
        let Some(request_type) = operation.request_type().filter(|each| each.needs() == Role::Admin) else {
            continue;
        };
        // Whether or not there is such a thing: nothing is learnt about that.
        let names = crate::support::Names {
            account: acme::ACCOUNT_ID,
            project: 1,
            job: 1,
            run: 1,
            going_run: 1,
            failed_run: 1,
            credential: "nobody".to_owned(),
            api_key: 4711,
            request_uuid: String::new(),
            free_name: "new".to_owned(),
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
