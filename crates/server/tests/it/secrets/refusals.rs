//! Requests with secrets that the gateway refuses whatever dbt Cloud answers.

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::AccountPlan;

use super::{CHANGED, STORED, TOKEN, URL_PASSWORD, WRONG};
use crate::support::{Answer, Caller, TestApp};

/// Sends them all and returns the answers.
pub(super) async fn refusals(app: &TestApp, plan: &AccountPlan) -> Vec<Answer> {
    let (admin, operator) = (app.caller(Role::Admin), app.operator());
    let trigger = format!("/jobs/{}/runs", plan.job_id(0, 0));
    let credential =
        |name: &str, token: Value, url: &str| json!({"name": name, "account_id": 1, "token": token, "access_url": url});
    let with_password = format!("https://user:{URL_PASSWORD}@dbt.acme.example");
    let wrong_key = format!("{}0", app.key(Role::Admin));
    let mut answers = vec![
        operator.post(&trigger, &json!({"cause": ""})).await,
        operator.post_text(&trigger, "text/plain", "x").await,
        operator.send(operator.request(Method::PATCH, &trigger)).await,
        app.with_key(TOKEN).get("/projects").await,
        app.with_key(&wrong_key).get("/projects").await,
        admin
            .post("/credentials", &credential("kept", json!(WRONG), "dbt.acme.example"))
            .await,
        admin
            .post(
                "/credentials",
                &credential("x", json!(format!("{WRONG} ")), "dbt.acme.example"),
            )
            .await,
        admin
            .post(
                "/credentials",
                &credential("x", json!({"is": WRONG}), "dbt.acme.example"),
            )
            .await,
        admin
            .post("/credentials", &credential("x", json!([WRONG]), "dbt.acme.example"))
            .await,
        admin
            .post(
                "/credentials",
                &credential("two words", json!(WRONG), "dbt.acme.example"),
            )
            .await,
        admin
            .post("/credentials", &credential("x", json!(WRONG), &with_password))
            .await,
        admin.patch("/credentials/unknown", &json!({"token": WRONG})).await,
        admin
            .patch(
                "/credentials/kept",
                &json!({"access_url": with_password, "token": WRONG}),
            )
            .await,
        admin.patch("/credentials/kept", &json!({"token": CHANGED})).await,
        admin.post("/credentials/kept/verify", &json!(null)).await,
        admin.patch("/credentials/kept", &json!({"token": STORED})).await,
    ];
    assert!(answers.last().unwrap().status.is_success());
    for path in [
        "/projects?name=x",
        "/projects/1",
        "/projects?account_id=4711",
        "/projects?credential=unknown",
        "/projects?page=0",
        "/runs/x",
        "/nothing",
        "/openapi.json",
        "/docs/",
        "/docs/swagger-initializer.js",
    ] {
        answers.push(Caller::get(&app.viewer(), path).await);
    }
    answers
}
