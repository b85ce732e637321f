//! Checked with dbt Cloud, and which one serves a request.

use model::{Effect, RequestType};
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use super::{SECOND_TOKEN, admin, last_token, order, without_settings};
use crate::support::TestApp;

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
