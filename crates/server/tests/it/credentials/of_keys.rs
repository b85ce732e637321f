//! Which credentials a key may use: its list, else the defaults of its accounts, else all.

use axum::http::Method;
use model::Role;
use serde_json::{Value, json};
use simulator::acme;

use crate::support::{Answer, Caller, TestApp};

/// The default credential, which comes from the settings.
fn default_name() -> String {
    format!("account {}", acme::ACCOUNT_ID)
}

/// A gateway with the credentials `ci` and `ops` beside the account's default.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    for name in ["ci", "ops"] {
        let body = json!({"name": name, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url()});
        app.caller(Role::Admin).post("/credentials", &body).await.expect(201);
    }
    app
}

/// Creates a key with these fields, and returns its text.
async fn key(creator: &Caller<'_>, fields: Value) -> String {
    let mut body = json!({"name": "x", "role": "admin"});
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let created = creator.post("/api-keys", &body).await.expect(201);
    created["key"].as_str().unwrap().to_owned()
}

async fn ask(app: &TestApp, key: &str, path: &str, credential: Option<&str>) -> Answer {
    let caller = app.with_key(key);
    let mut request = caller.request(Method::GET, path);
    if let Some(name) = credential {
        request = request.header("x-dbt-credential", name);
    }
    caller.send(request).await
}

#[tokio::test]
async fn the_list_of_a_key_decides_which_credentials_it_may_use() {
    let app = start().await;
    let admin = app.caller(Role::Admin);
    let default = default_name();
    let relayed = format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID);
    let accounts = json!([acme::ACCOUNT_ID]);
    for (fields, may_use, unnamed) in [
        (json!({}), [true, true, true], Some(default.as_str())),
        (
            json!({"accounts": accounts}),
            [true, false, false],
            Some(default.as_str()),
        ),
        (
            json!({"accounts": accounts, "credentials": ["ci"]}),
            [false, true, false],
            Some("ci"),
        ),
        (
            json!({"credentials": [default, "ops"]}),
            [true, false, true],
            Some(default.as_str()),
        ),
        (json!({"credentials": ["ci", "ops"]}), [false, true, true], None),
    ] {
        let key = key(&admin, fields.clone()).await;
        for (name, may_use) in [default.as_str(), "ci", "ops"].into_iter().zip(may_use) {
            let by_rest = ask(&app, &key, "/projects", Some(name)).await;
            let by_relay = ask(&app, &key, &relayed, Some(name)).await;
            if may_use {
                assert_eq!(
                    (by_rest.status.as_u16(), by_relay.status.as_u16()),
                    (200, 200),
                    "{fields} {name}"
                );
                assert_eq!(app.row_of(&by_rest).await["credential"], name);
            } else {
                by_rest.problem(404, "not-found");
                assert_eq!(by_relay.status, 404, "{fields} {name}");
                assert_eq!(app.row_of(&by_relay).await["outcome"], "refused");
            }
            let verified = app
                .with_key(&key)
                .post(
                    &format!("/credentials/{}/verify", name.replace(' ', "%20")),
                    &json!(null),
                )
                .await;
            assert_eq!(
                verified.expect(200)["verified"],
                true,
                "admins manage every credential of their accounts"
            );
        }
        for path in ["/projects", &relayed, "/accounts", "/api/v2/accounts/"] {
            let answer = ask(&app, &key, path, None).await;
            if unnamed.is_some() {
                assert_eq!(answer.status, 200, "{fields} {path}: {}", answer.text);
                assert_eq!(app.row_of(&answer).await["credential"], json!(unnamed));
            } else {
                assert_eq!(answer.status, 400, "{fields} {path}: {}", answer.text);
                assert!(answer.text.contains("ci, ops"), "{}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_key_gives_no_credentials_away_that_it_may_not_use() {
    let app = start().await;
    let admin = app.caller(Role::Admin);
    let limited = key(&admin, json!({"accounts": [acme::ACCOUNT_ID]})).await;
    let only_ci = key(&admin, json!({"credentials": ["ci"]})).await;
    for (creator, names) in [
        (limited.as_str(), json!(["ci"])),
        (&only_ci, json!(["ops"])),
        (&only_ci, json!(["ci", "ops"])),
        (app.key(Role::Admin), json!(["unknown"])),
    ] {
        let body = json!({"name": "x", "role": "viewer", "credentials": names});
        app.with_key(creator)
            .post("/api-keys", &body)
            .await
            .problem(404, "not-found");
    }
    let inherited = key(&app.with_key(&only_ci), json!({"accounts": [acme::ACCOUNT_ID]})).await;
    assert_eq!(ask(&app, &inherited, "/projects", Some("ci")).await.status, 200);
    ask(&app, &inherited, "/projects", Some("ops"))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn the_list_follows_a_new_name_and_forgets_a_deleted_credential() {
    let app = start().await;
    let admin = app.caller(Role::Admin);
    let key = key(&admin, json!({"credentials": ["ci"]})).await;
    assert_eq!(ask(&app, &key, "/projects", Some("ci")).await.status, 200);
    admin
        .patch("/credentials/ci", &json!({"name": "robot"}))
        .await
        .expect(200);
    assert_eq!(ask(&app, &key, "/projects", Some("robot")).await.status, 200);
    ask(&app, &key, "/projects", Some("ci")).await.problem(404, "not-found");
    assert_eq!(admin.delete("/credentials/robot").await.status, 204);
    let body = json!({"name": "robot", "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url()});
    admin.post("/credentials", &body).await.expect(201);
    ask(&app, &key, "/projects", Some("robot"))
        .await
        .problem(404, "not-found");
    ask(&app, &key, "/projects", None).await.problem(404, "not-found");
    let list = admin.get("/api-keys").await.expect(200);
    assert_eq!(
        list["results"].as_array().unwrap().last().unwrap()["credentials"],
        json!([])
    );
}
