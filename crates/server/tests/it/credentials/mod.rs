//! Credentials.

mod manage;
mod of_keys;
mod rotation;
mod selection;

use model::Role;
use serde_json::{Value, json};
use simulator::acme;

use crate::support::{Answer, Caller, Setup, TestApp};

/// A second token for Acme's account.
const SECOND_TOKEN: &str = acme::USER_TOKEN;

fn credential(app: &TestApp, name: &str) -> Value {
    json!({
        "name": name, "account_id": acme::ACCOUNT_ID, "token": SECOND_TOKEN, "access_url": app.dbt.base_url(),
    })
}

/// A gateway without credentials in its settings.
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

/// The fields in the errors of an invalid request.
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
