//! Which role may do what: every operation asked with a key of every role, and the page that says so.

use model::Role;
use serde_json::json;
use simulator::acme;

use crate::support::{Names, TestApp, operations, other_ids, running_and_failed_run};

/// New things of company 1 that a key of that role may see.
async fn fresh(app: &TestApp, cell: usize, role: Role) -> Names {
    let admin = app.caller(Role::Admin);
    let credential = format!("cell-{cell}");
    let order = json!({
        "name": credential, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url(),
    });
    admin.post("/credentials", &order).await.expect(201);
    let key = json!({"name": "to be revoked", "role": "viewer"});
    let api_key = admin.post("/api-keys", &key).await.expect(201)["id"].as_i64().unwrap();
    // Who may see only rows of its own has one.
    let request_uuid = app.caller(role).get("/projects").await.request_uuid();
    let (running_run, failed_run) = running_and_failed_run(app).await;
    Names {
        account: acme::ACCOUNT_ID,
        project: acme::PROJECT_ID,
        job: acme::NIGHTLY_JOB_ID,
        run: acme::SUCCEEDED_RUN_ID,
        running_run,
        failed_run,
        credential,
        api_key,
        request_uuid,
        unused_name: format!("free-{cell}"),
        other_ids: other_ids(app, acme::ACCOUNT_ID).await,
    }
}

#[tokio::test]
async fn every_operation_is_refused_exactly_to_the_roles_below_the_one_it_needs() {
    let app = TestApp::start().await;
    let (mut cells, mut refusals) = (0, 0);
    for operation in operations() {
        for role in Role::ALL {
            cells += 1;
            let names = fresh(&app, cells, role).await;
            let before = app.dbt.requests().len();
            let answer = operation
                .ask(&app.caller(role), &operation.address(&names), &names)
                .await;
            let needs = operation.request_type().map(model::RequestType::needs);
            if needs.is_none_or(|needs| role >= needs) {
                assert!(
                    answer.status.is_success(),
                    "{} as {role}: {}",
                    operation.id,
                    answer.text
                );
                continue;
            }
            refusals += 1;
            let problem = answer.problem(403, "forbidden");
            let needs = needs.unwrap();
            let detail = format!("This needs a key with the role {needs}; yours is {role}.");
            assert_eq!(problem["detail"], detail, "{}", operation.id);
            let row = app.row_of(&answer).await;
            assert_eq!(row["request_type"], operation.id.as_str());
            assert_eq!((&row["outcome"], &row["attempts"]), (&json!("refused"), &json!(0)));
            assert_eq!(app.dbt.requests().len(), before, "{} as {role}", operation.id);
        }
    }
    println!("{cells} cells, {refusals} of them refused");
    assert_eq!(cells, 3 * operations().len());
    assert!(refusals > 0);
}

#[test]
fn the_page_of_roles_is_the_one_that_the_operations_make() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/roles.md");
    let committed = std::fs::read_to_string(page).unwrap_or_default();
    let made = server::roles_table();
    assert!(
        committed == made,
        "docs/roles.md is out of date: run `./dev roles` and commit it. It should be:\n{made}"
    );
}
