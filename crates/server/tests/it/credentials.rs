//! Credentials by API: made, listed, changed, deleted and checked with dbt Cloud; and which one serves a request.

use model::{Effect, RequestType, Role};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use crate::support::{Answer, Caller, Setup, TestApp};

/// Opens Acme's account as well as [`acme::TOKEN`] does, and can be told from it in the simulator's record.
const SECOND_TOKEN: &str = acme::USER_TOKEN;

fn order(app: &TestApp, name: &str) -> Value {
    json!({
        "name": name, "account_id": acme::ACCOUNT_ID, "token": SECOND_TOKEN, "access_url": app.dbt.base_url(),
    })
}

/// A gateway where nothing comes from the settings.
async fn without_settings() -> TestApp {
    Setup {
        accounts: Vec::new(),
        ..Setup::default()
    }
    .start()
    .await
}

fn admin(app: &TestApp) -> Caller<'_> {
    app.caller(Role::Admin)
}

async fn names(app: &TestApp) -> Vec<String> {
    let list = admin(app).get("/credentials").await.expect(200);
    let results = list["results"].as_array().unwrap();
    assert_eq!(list["count"], results.len());
    results
        .iter()
        .map(|each| each["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn get(app: &TestApp, name: &str) -> Value {
    admin(app).get(&format!("/credentials/{name}")).await.expect(200)
}

/// The token of the last request to dbt Cloud.
fn last_token(app: &TestApp) -> String {
    let sent = app.dbt.requests();
    let authorization = sent.last().unwrap().header("authorization").unwrap().to_owned();
    authorization.split_once(' ').unwrap().1.to_owned()
}

/// The fields that a refusal of input names.
fn fields(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(400, "invalid-request");
    let errors = problem["errors"]
        .as_array()
        .unwrap_or_else(|| panic!("no errors: {problem:#}"));
    errors
        .iter()
        .map(|error| {
            assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()));
            error["field"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_credential_is_stored_and_its_token_is_never_told() {
    let app = without_settings().await;
    let order = json!({
        "name": "production", "account_id": acme::ACCOUNT_ID, "token": "dbtc_0123456789", "access_url": "ab123.us1.dbt.com",
    });
    let answer = admin(&app).post("/credentials", &order).await;
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
async fn the_access_url_is_the_multi_tenant_host_unless_it_is_given() {
    let app = without_settings().await;
    let order = json!({"name": "plain", "account_id": 1, "token": "dbtc_1"});
    let created = admin(&app).post("/credentials", &order).await.expect(201);
    assert_eq!(created["access_url"], "https://cloud.getdbt.com");
    let order = json!({
        "name": "given", "account_id": 1, "token": "dbtc_1", "access_url": "https://dbt.acme.example:8443/",
        "metadata_url": "meta.acme.example", "semantic_layer_url": "https://sl.acme.example",
    });
    let created = admin(&app).post("/credentials", &order).await.expect(201);
    assert_eq!(created["access_url"], "https://dbt.acme.example:8443");
    assert_eq!(created["metadata_url"], "https://meta.acme.example/");
    assert_eq!(created["semantic_layer_url"], "https://sl.acme.example/");
}

#[tokio::test]
async fn an_accounts_first_credential_is_its_default_and_another_may_become_it() {
    let app = without_settings().await;
    let mut second = order(&app, "second");
    assert_eq!(
        admin(&app)
            .post("/credentials", &order(&app, "first"))
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
    assert_eq!(get(&app, "first").await["is_default"], false, "one default an account");

    // Deleted, it leaves the part to the oldest.
    let gone = admin(&app).delete("/credentials/third").await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(get(&app, "first").await["is_default"], true);
    assert_eq!(get(&app, "second").await["is_default"], false);
    admin(&app).get("/credentials/third").await.problem(404, "not-found");
}

#[tokio::test]
async fn what_comes_from_the_settings_is_listed_first_and_not_changed() {
    let app = TestApp::start().await;
    for name in ["zebra", "antelope"] {
        admin(&app).post("/credentials", &order(&app, name)).await.expect(201);
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
    let mut before = admin(&app).post("/credentials", &order(&app, "one")).await.expect(201);
    admin(&app).post("/credentials", &order(&app, "two")).await.expect(201);
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
            // Judged by the other tests: the only credential of an account is its default.
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
async fn a_token_goes_only_where_it_was_stored_for() {
    let app = without_settings().await;
    let before = admin(&app).post("/credentials", &order(&app, "one")).await.expect(201);
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
async fn a_name_is_given_once_in_a_company() {
    let app = TestApp::start().await;
    for name in ["one", "two"] {
        admin(&app).post("/credentials", &order(&app, name)).await.expect(201);
    }
    admin(&app)
        .post("/credentials", &order(&app, "one"))
        .await
        .problem(409, "conflict");
    admin(&app)
        .patch("/credentials/two", &json!({"name": "one"}))
        .await
        .problem(409, "conflict");
    assert_eq!(names(&app).await.len(), 3);

    // A name of the settings is taken as well, whatever the form of a name.
    let taken = json!({"name": format!("account {}", acme::ACCOUNT_ID)});
    admin(&app)
        .patch("/credentials/two", &taken)
        .await
        .problem(409, "conflict");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let app = TestApp::start().await;
    let answers = [
        admin(&app).get("/credentials/nobody").await,
        admin(&app)
            .patch("/credentials/nobody", &json!({"is_default": true}))
            .await,
        admin(&app).delete("/credentials/nobody").await,
        admin(&app).post("/credentials/nobody/verify", &json!(null)).await,
    ];
    for answer in answers {
        let problem = answer.problem(404, "not-found");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("Credential `nobody` is not known here")
        );
    }
}

#[tokio::test]
async fn input_that_cannot_be_is_refused_with_the_fields_at_fault() {
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
    let refused = admin(&app).post("/credentials", &order(&app, "one")).await;
    let problem = refused.problem(503, "no-encryption-key");
    assert!(problem["detail"].as_str().unwrap().contains("DBT_GATEWAY_SECRET_KEYS"));
    assert_eq!(names(&app).await.len(), 1);
    assert_eq!(
        app.viewer().get("/projects").await.status,
        200,
        "the settings' one needs no key"
    );
}

#[tokio::test]
async fn dbt_cloud_is_asked_whether_it_takes_a_credential_and_its_answer_explained() {
    let app = without_settings().await;
    admin(&app).post("/credentials", &order(&app, "one")).await.expect(201);
    let verify = async || admin(&app).post("/credentials/one/verify", &json!(null)).await;
    let verdict = async |verified: bool, hint: &str, outcome: &str| {
        let answer = verify().await;
        let said = answer.expect(200);
        assert_eq!(said["verified"], verified, "{said:#}");
        assert!(said["detail"].as_str().unwrap().contains(hint), "{said:#}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["outcome"]),
            (&json!("verify_credential"), &json!(outcome))
        );
        assert_eq!(row["credential"], "one");
        said
    };
    let said = verdict(true, "takes the token for account", "succeeded").await;
    assert_eq!(said["account_name"], "Acme Retail Group");
    assert_eq!(last_token(&app), SECOND_TOKEN);

    app.dbt.add_fault(Fault::everywhere().once().status(403));
    verdict(false, "IP allow-list", "credentials").await;
    app.dbt.add_fault(Fault::everywhere().status(500));
    verify().await.problem(502, "dbt-unavailable");
    app.dbt.clear_faults();
    app.dbt.add_fault(Fault::everywhere().reset_before());
    verify().await.problem(502, "dbt-unavailable");
    app.dbt.clear_faults();
    app.dbt.add_fault(Fault::everywhere().once().status(429));
    verify().await.problem(429, "rate-limit");

    let patch = json!({"account_id": globex::ACCOUNT_ID});
    admin(&app).patch("/credentials/one", &patch).await.expect(200);
    verdict(false, "is not the token's account", "not_found").await;
    admin(&app)
        .patch("/credentials/one", &json!({"token": "dbtc_wrong"}))
        .await
        .expect(200);
    verdict(false, "token unknown at this host", "credentials").await;
}

#[tokio::test]
async fn a_stored_credential_serves_its_accounts_requests_by_default() {
    let app = without_settings().await;
    app.viewer().get("/projects").await.problem(404, "not-found");
    admin(&app).post("/credentials", &order(&app, "one")).await.expect(201);
    let answer = app.viewer().get("/projects").await;
    assert_eq!(answer.ids().len(), acme::ACTIVE_PROJECTS);
    assert_eq!(last_token(&app), SECOND_TOKEN);
    assert_eq!(app.row_of(&answer).await["credential"], "one");
    let body = json!({"cause": "x"});
    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    assert_eq!(app.operator().post(&path, &body).await.status, 201);
    assert_eq!(last_token(&app), SECOND_TOKEN);
}

#[tokio::test]
async fn a_credential_is_named_in_the_query_or_else_in_a_header() {
    let app = TestApp::start().await;
    admin(&app)
        .post("/credentials", &order(&app, "personal"))
        .await
        .expect(201);
    let of_settings = format!("account {}", acme::ACCOUNT_ID);
    let ask = async |query: &str, header: Option<&str>| {
        let mut request = app.viewer().request(reqwest::Method::GET, &format!("/projects{query}"));
        if let Some(name) = header {
            request = request.header("X-Dbt-Credential", name);
        }
        app.viewer().send(request).await
    };
    let named = format!("?credential=account+{}", acme::ACCOUNT_ID);
    for (query, header, token) in [
        ("", None, acme::TOKEN),
        ("?credential=personal", None, SECOND_TOKEN),
        ("", Some("personal"), SECOND_TOKEN),
        (named.as_str(), Some("personal"), acme::TOKEN),
        ("?credential=personal", Some(of_settings.as_str()), SECOND_TOKEN),
        ("?credential=personal", Some("nobody"), SECOND_TOKEN),
    ] {
        let answer = ask(query, header).await;
        assert_eq!(answer.status, 200, "{query} {header:?}: {}", answer.text);
        assert_eq!(last_token(&app), token, "{query} {header:?}");
        let name = if token == SECOND_TOKEN {
            "personal"
        } else {
            &of_settings
        };
        assert_eq!(app.row_of(&answer).await["credential"], name);
    }
    let asked = app.dbt.requests().len();
    for (query, header) in [
        ("?credential=nobody", None),
        ("", Some("nobody")),
        ("?credential=nobody", Some("personal")),
        ("?credential=personal&account_id=4711", None),
    ] {
        let refused = ask(query, header).await;
        refused.problem(404, "not-found");
        assert_eq!(app.row_of(&refused).await["outcome"], "refused");
    }
    assert_eq!(app.dbt.requests().len(), asked);
}

#[tokio::test]
async fn a_change_holds_for_the_next_request_of_the_same_process() {
    let app = without_settings().await;
    admin(&app).post("/credentials", &order(&app, "one")).await.expect(201);
    let ask = async |token: &str| {
        assert_eq!(app.viewer().get("/projects").await.status, 200);
        assert_eq!(last_token(&app), token);
    };
    ask(SECOND_TOKEN).await;
    admin(&app)
        .patch("/credentials/one", &json!({"token": acme::TOKEN}))
        .await
        .expect(200);
    ask(acme::TOKEN).await;
    let mut second = order(&app, "two");
    second["is_default"] = json!(true);
    admin(&app).post("/credentials", &second).await.expect(201);
    ask(SECOND_TOKEN).await;
    admin(&app).delete("/credentials/two").await;
    ask(acme::TOKEN).await;
    admin(&app).delete("/credentials/one").await;
    app.viewer().get("/projects").await.problem(404, "not-found");
}

#[tokio::test]
async fn every_change_is_one_row_and_reads_of_our_own_records_are_none() {
    let app = without_settings().await;
    let mut answers = vec![admin(&app).post("/credentials", &order(&app, "one")).await];
    answers.push(
        admin(&app)
            .patch("/credentials/one", &json!({"token": acme::TOKEN, "name": "two"}))
            .await,
    );
    answers.push(admin(&app).delete("/credentials/two").await);
    admin(&app).get("/credentials").await.expect(200);
    admin(&app).get("/credentials/one").await.problem(404, "not-found");
    // Refused by what it asks for, not by who asks: no change, no row.
    admin(&app)
        .post("/credentials", &json!({"name": "x"}))
        .await
        .problem(400, "invalid-request");

    let rows = app.rows().await;
    assert_eq!(rows.len(), 3, "{rows:#?}");
    let types = [
        RequestType::CreateCredential,
        RequestType::UpdateCredential,
        RequestType::DeleteCredential,
    ];
    for (request_type, answer) in types.into_iter().zip(&answers) {
        assert_eq!(request_type.effect(), Effect::Change);
        let row = app.row_of(answer).await;
        assert_eq!(row["request_type"], request_type.as_str());
        let told = (
            &row["outcome"],
            &row["attempts"],
            &row["client_type"],
            &row["account_id"],
        );
        assert_eq!(
            told,
            (&json!("succeeded"), &json!(0), &Value::Null, &json!(acme::ACCOUNT_ID))
        );
        assert!(row["api_key_id"].is_number(), "who did it");
        let text = row.to_string();
        assert!(!text.contains(acme::TOKEN) && !text.contains(SECOND_TOKEN), "{text}");
    }
    assert!(app.dbt.requests().is_empty());
}
