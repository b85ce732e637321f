//! Credentials verified with dbt Cloud, and the credential that a request uses.

use model::{Effect, RequestType};
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use super::{SECOND_TOKEN, admin, credential, last_token, without_settings};
use crate::support::TestApp;

#[tokio::test]
async fn verify_sends_the_credential_to_dbt_and_explains_the_answer() {
    let app = without_settings().await;
    admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .expect(201);
    let verify = async || admin(&app).post("/credentials/one/verify", &json!(null)).await;
    let verify_as = async |verified: bool, hint: &str, outcome: &str| {
        let answer = verify().await;
        let result = answer.expect(200);
        assert_eq!(result["verified"], verified, "{result:#}");
        assert!(result["detail"].as_str().unwrap().contains(hint), "{result:#}");
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["outcome"]),
            (&json!("verify_credential"), &json!(outcome))
        );
        assert_eq!(row["credential"], "one");
        result
    };
    let result = verify_as(true, "accepts the token for account", "succeeded").await;
    assert_eq!(result["account_name"], "Acme Retail Group");
    assert_eq!(last_token(&app), SECOND_TOKEN);

    app.dbt.add_fault(Fault::everywhere().once().status(403));
    verify_as(false, "IP allow-list", "credentials").await;
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
    verify_as(false, "is not the token's account", "not_found").await;
    admin(&app)
        .patch("/credentials/one", &json!({"token": "dbtc_wrong"}))
        .await
        .expect(200);
    verify_as(false, "token unknown at this host", "credentials").await;
}

#[tokio::test]
async fn a_stored_credential_is_used_for_requests_to_its_account() {
    let app = without_settings().await;
    app.viewer().get("/projects").await.problem(404, "not-found");
    admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .expect(201);
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
async fn a_credential_can_be_named_in_the_query_or_in_a_header() {
    let app = TestApp::start().await;
    admin(&app)
        .post("/credentials", &credential(&app, "personal"))
        .await
        .expect(201);
    let of_settings = format!("account {}", acme::ACCOUNT_ID);
    let list = async |query: &str, header: Option<&str>| {
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
        ("?credential=personal", Some("unknown"), SECOND_TOKEN),
    ] {
        let answer = list(query, header).await;
        assert_eq!(answer.status, 200, "{query} {header:?}: {}", answer.text);
        assert_eq!(last_token(&app), token, "{query} {header:?}");
        let name = if token == SECOND_TOKEN {
            "personal"
        } else {
            &of_settings
        };
        assert_eq!(app.row_of(&answer).await["credential"], name);
    }
    let sent = app.dbt.requests().len();
    for (query, header) in [
        ("?credential=unknown", None),
        ("", Some("unknown")),
        ("?credential=unknown", Some("personal")),
        ("?credential=personal&account_id=4711", None),
    ] {
        let refused = list(query, header).await;
        refused.problem(404, "not-found");
        assert_eq!(app.row_of(&refused).await["outcome"], "refused");
    }
    assert_eq!(app.dbt.requests().len(), sent);
}

#[tokio::test]
async fn a_change_of_a_credential_applies_to_the_next_request() {
    let app = without_settings().await;
    admin(&app)
        .post("/credentials", &credential(&app, "one"))
        .await
        .expect(201);
    let list = async |token: &str| {
        assert_eq!(app.viewer().get("/projects").await.status, 200);
        assert_eq!(last_token(&app), token);
    };
    list(SECOND_TOKEN).await;
    admin(&app)
        .patch("/credentials/one", &json!({"token": acme::TOKEN}))
        .await
        .expect(200);
    list(acme::TOKEN).await;
    let mut second = credential(&app, "two");
    second["is_default"] = json!(true);
    admin(&app).post("/credentials", &second).await.expect(201);
    list(SECOND_TOKEN).await;
    admin(&app).delete("/credentials/two").await;
    list(acme::TOKEN).await;
    admin(&app).delete("/credentials/one").await;
    app.viewer().get("/projects").await.problem(404, "not-found");
}

#[tokio::test]
async fn changes_of_credentials_have_one_row_and_reads_have_none() {
    let app = without_settings().await;
    let mut answers = vec![admin(&app).post("/credentials", &credential(&app, "one")).await];
    answers.push(
        admin(&app)
            .patch("/credentials/one", &json!({"token": acme::TOKEN, "name": "two"}))
            .await,
    );
    answers.push(admin(&app).delete("/credentials/two").await);
    admin(&app).get("/credentials").await.expect(200);
    admin(&app).get("/credentials/one").await.problem(404, "not-found");
    // Invalid input is refused without a row.
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
        let logged = (
            &row["outcome"],
            &row["attempts"],
            &row["client_type"],
            &row["account_id"],
        );
        assert_eq!(
            logged,
            (&json!("succeeded"), &json!(0), &Value::Null, &json!(acme::ACCOUNT_ID))
        );
        assert!(row["api_key_id"].is_number(), "the key that did it");
        let text = row.to_string();
        assert!(!text.contains(acme::TOKEN) && !text.contains(SECOND_TOKEN), "{text}");
    }
    assert!(app.dbt.requests().is_empty());
}
