//! Credentials created, listed, changed and deleted.

use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{acme, globex};

use super::{admin, credential, fields, get, names, without_settings};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn a_credential_is_stored_and_its_token_is_never_shown() {
    let app = without_settings().await;
    let credential = json!({
        "name": "production", "account_id": acme::ACCOUNT_ID, "token": "dbtc_0123456789", "access_url": "ab123.us1.dbt.com",
    });
    let answer = admin(&app).post("/credentials", &credential).await;
    let created = answer.expect(201);
    assert_eq!(answer.header(LOCATION), Some("/credentials/production"));
    for (field, value) in [
        ("name", json!("production")),
        ("source", json!("stored")),
        ("account_id", json!(acme::ACCOUNT_ID)),
        ("is_default", json!(true)),
        ("access_url", json!("https://ab123.us1.dbt.com")),
        ("metadata_url", json!("https://ab123.metadata.us1.dbt.com/")),
        ("semantic_layer_url", json!("https://ab123.semantic-layer.us1.dbt.com/")),
        ("version", json!(1)),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    let got = admin(&app).get(answer.header(LOCATION).unwrap()).await;
    assert_eq!(got.expect(200), created);
    let list = admin(&app).get("/credentials").await;
    assert_eq!(list.expect(200), json!({"count": 1, "results": [created]}));
    for answer in [&answer, &got, &list] {
        assert!(!format!("{answer:?}").contains("dbtc_0123456789"));
    }
}

#[tokio::test]
async fn the_default_access_url_is_the_multi_tenant_host() {
    let app = without_settings().await;
    let credential = json!({"name": "plain", "account_id": 1, "token": "dbtc_1"});
    let created = admin(&app).post("/credentials", &credential).await.expect(201);
    assert_eq!(created["access_url"], "https://cloud.getdbt.com");
    let credential = json!({
        "name": "given", "account_id": 1, "token": "dbtc_1", "access_url": "https://dbt.acme.example:8443/",
        "metadata_url": "meta.acme.example", "semantic_layer_url": "https://sl.acme.example",
    });
    let created = admin(&app).post("/credentials", &credential).await.expect(201);
    assert_eq!(created["access_url"], "https://dbt.acme.example:8443");
    assert_eq!(created["metadata_url"], "https://meta.acme.example/");
    assert_eq!(created["semantic_layer_url"], "https://sl.acme.example/");
}

#[tokio::test]
async fn the_first_credential_of_an_account_is_the_default_until_another_is_set() {
    let app = without_settings().await;
    let mut second = credential(&app, "second");
    assert_eq!(
        admin(&app)
            .post("/credentials", &credential(&app, "first"))
            .await
            .expect(201)["is_default"],
        true
    );
    assert_eq!(
        admin(&app).post("/credentials", &second).await.expect(201)["is_default"],
        false
    );
    second["name"] = json!("third");
    second["is_default"] = json!(true);
    assert_eq!(
        admin(&app).post("/credentials", &second).await.expect(201)["is_default"],
        true
    );
    assert_eq!(get(&app, "first").await["is_default"], false, "one default per account");

    // After its deletion the oldest credential is the default.
    let deleted = admin(&app).delete("/credentials/third").await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(get(&app, "first").await["is_default"], true);
    assert_eq!(get(&app, "second").await["is_default"], false);
    admin(&app).get("/credentials/third").await.problem(404, "not-found");
}

#[tokio::test]
async fn credentials_of_the_settings_are_listed_first_and_cannot_be_changed() {
    let app = TestApp::start().await;
    for name in ["zebra", "antelope"] {
        admin(&app)
            .post("/credentials", &credential(&app, name))
            .await
            .expect(201);
    }
    let of_settings = format!("account {}", acme::ACCOUNT_ID);
    assert_eq!(names(&app).await, [of_settings.as_str(), "zebra", "antelope"]);
    let path = format!("/credentials/account%20{}", acme::ACCOUNT_ID);
    let shown = admin(&app).get(&path).await.expect(200);
    assert_eq!(
        (&shown["source"], &shown["is_default"]),
        (&json!("settings"), &json!(true))
    );
    assert_eq!(shown["access_url"], app.dbt.base_url());
    assert_eq!((&shown["version"], &shown["created_at"]), (&Value::Null, &Value::Null));

    let refused = [
        admin(&app).patch(&path, &json!({"token": "dbtc_1"})).await,
        admin(&app).delete(&path).await,
    ];
    for answer in refused {
        let problem = answer.problem(409, "conflict");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("comes from the gateway's settings")
        );
    }
    assert_eq!(names(&app).await.len(), 3);
}

#[tokio::test]
async fn each_field_of_a_credential_can_be_changed_alone() {
    let app = without_settings().await;
    let mut before = admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .expect(201);
    admin(&app)
        .post("/credentials", &credential(&app, "two"))
        .await
        .expect(201);
    let origin = app.dbt.base_url();
    let patches = [
        (
            "/credentials/one",
            json!({"name": "renamed"}),
            json!({"name": "renamed"}),
        ),
        (
            "/credentials/renamed",
            json!({"account_id": globex::ACCOUNT_ID}),
            json!({"account_id": globex::ACCOUNT_ID}),
        ),
        ("/credentials/renamed", json!({"token": globex::TOKEN}), json!({})),
        (
            "/credentials/renamed",
            json!({"access_url": "dbt.acme.example", "token": globex::TOKEN}),
            json!({
                "access_url": "https://dbt.acme.example", "metadata_url": "https://metadata.dbt.acme.example/",
                "semantic_layer_url": "https://semantic-layer.dbt.acme.example/",
            }),
        ),
        (
            "/credentials/renamed",
            json!({"metadata_url": "meta.acme.example", "token": globex::TOKEN}),
            json!({"metadata_url": "https://meta.acme.example/"}),
        ),
        (
            "/credentials/renamed",
            json!({"semantic_layer_url": origin, "token": globex::TOKEN}),
            json!({"semantic_layer_url": format!("{origin}/")}),
        ),
        (
            "/credentials/renamed",
            json!({"account_id": acme::ACCOUNT_ID, "is_default": true}),
            json!({"account_id": acme::ACCOUNT_ID, "is_default": true}),
        ),
    ];
    for (path, patch, changed) in patches {
        let after = admin(&app).patch(path, &patch).await.expect(200);
        for (field, value) in changed.as_object().unwrap() {
            before[field] = value.clone();
        }
        before["version"] = json!(before["version"].as_i64().unwrap() + 1);
        for field in ["is_default", "updated_at"] {
            // Checked by the other tests.
            before[field] = after[field].clone();
        }
        assert_eq!(after, before, "{patch}");
        let name = after["name"].as_str().unwrap();
        assert_eq!(get(&app, name).await, after);
    }
    assert_eq!(get(&app, "two").await["is_default"], false);
    admin(&app).get("/credentials/one").await.problem(404, "not-found");
}

#[tokio::test]
async fn changing_a_url_needs_the_token_again() {
    let app = without_settings().await;
    let before = admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .expect(201);
    for field in ["access_url", "metadata_url", "semantic_layer_url"] {
        let answer = admin(&app)
            .patch("/credentials/one", &json!({field: "evil.example"}))
            .await;
        assert_eq!(fields(&answer), ["token"], "{field}");
    }
    assert_eq!(get(&app, "one").await, before);
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn a_name_is_unique_in_a_company() {
    let app = TestApp::start().await;
    for name in ["one", "two"] {
        admin(&app)
            .post("/credentials", &credential(&app, name))
            .await
            .expect(201);
    }
    admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .problem(409, "conflict");
    admin(&app)
        .patch("/credentials/two", &json!({"name": "one"}))
        .await
        .problem(409, "conflict");
    assert_eq!(names(&app).await.len(), 3);

    // Names of credentials of the settings are taken too.
    let taken = json!({"name": format!("account {}", acme::ACCOUNT_ID)});
    admin(&app)
        .patch("/credentials/two", &taken)
        .await
        .problem(409, "conflict");
}

#[tokio::test]
async fn an_unknown_credential_is_not_found() {
    let app = TestApp::start().await;
    let answers = [
        admin(&app).get("/credentials/unknown").await,
        admin(&app)
            .patch("/credentials/unknown", &json!({"is_default": true}))
            .await,
        admin(&app).delete("/credentials/unknown").await,
        admin(&app).post("/credentials/unknown/verify", &json!(null)).await,
    ];
    for answer in answers {
        let problem = answer.problem(404, "not-found");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("Credential `unknown` is not known here")
        );
    }
}

#[tokio::test]
async fn invalid_input_is_refused_with_the_names_of_the_fields() {
    let app = Setup {
        access_rules: client::AccessRules::default(),
        ..Setup::default()
    }
    .start()
    .await;
    let good = json!({"name": "one", "account_id": 1, "token": "dbtc_1", "access_url": "dbt.acme.example"});
    let cases = [
        ("name", json!("")),
        ("name", json!("two words")),
        ("name", json!("../x")),
        ("name", json!("x".repeat(101))),
        ("account_id", json!(0)),
        ("account_id", json!(-1)),
        ("token", json!("")),
        ("token", json!("dbtc_1 2")),
        ("token", json!("dbtc_1\n")),
        ("token", json!("dbtc_é")),
        ("token", json!("x".repeat(4097))),
        ("access_url", json!("")),
        ("access_url", json!("http://dbt.acme.example")),
        ("access_url", json!("https://10.0.0.8")),
        ("access_url", json!("https://[::1]")),
        ("access_url", json!("https://169.254.169.254")),
        ("access_url", json!("https://user:pass@dbt.acme.example")),
        ("access_url", json!("https://dbt.acme.example/api/v2")),
        ("access_url", json!("https://dbt.acme.example?x=1")),
        ("access_url", json!("x".repeat(301))),
        ("metadata_url", json!("https://localhost")),
        ("semantic_layer_url", json!("http://sl.acme.example")),
    ];
    admin(&app).post("/credentials", &good).await.expect(201);
    for (field, value) in &cases {
        let mut bad = good.clone();
        bad["name"] = json!("another");
        bad[*field] = value.clone();
        let created = admin(&app).post("/credentials", &bad).await;
        assert_eq!(fields(&created), [*field], "{value}");
        let mut patch = json!({"token": "dbtc_1"});
        patch[*field] = value.clone();
        let changed = admin(&app).patch("/credentials/one", &patch).await;
        assert_eq!(fields(&changed), [*field], "{value}");
        for answer in [created, changed] {
            assert!(!answer.text.contains("dbtc_"), "{}", answer.text);
        }
    }
    for body in [
        json!({}),
        json!({"name": "x"}),
        json!([]),
        json!({"name": "x", "account_id": "1", "token": "dbtc_1"}),
        json!({"name": "x", "account_id": 1, "token": {"secret": "dbtc_1"}}),
        json!({"name": "x", "account_id": 1, "token": "dbtc_1", "tokn": 1}),
    ] {
        let refused = admin(&app).post("/credentials", &body).await;
        refused.problem(400, "invalid-request");
        assert!(!refused.text.contains("dbtc_1"), "{}", refused.text);
    }
    admin(&app)
        .get("/credentials?nmae=x")
        .await
        .problem(400, "invalid-request");
    assert_eq!(names(&app).await.len(), 2);
    assert_eq!(get(&app, "one").await["version"], 1);
}

#[tokio::test]
async fn without_an_encryption_key_no_token_is_stored() {
    let app = Setup {
        key_ring: None,
        ..Setup::default()
    }
    .start()
    .await;
    let refused = admin(&app).post("/credentials", &credential(&app, "one")).await;
    let problem = refused.problem(503, "no-encryption-key");
    assert!(problem["detail"].as_str().unwrap().contains("DBT_GATEWAY_SECRET_KEYS"));
    assert_eq!(names(&app).await.len(), 1);
    assert_eq!(
        app.viewer().get("/projects").await.status,
        200,
        "credentials of the settings need no key"
    );
}
