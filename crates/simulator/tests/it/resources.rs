//! Configuration objects and the effects of changes.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{DeleteAnswer, PartialJobUpdate, acme};

use crate::support::{TestSimulator, v2, v3};

#[tokio::test]
async fn a_job_is_created_with_few_fields_listed_run_and_deleted() {
    let dbt = TestSimulator::start().await;
    let body = json!({ "id": null, "name": "Ad hoc", "project_id": acme::PROJECT_ID, "environment_id": acme::STAGING_ENVIRONMENT_ID });
    let job = dbt.post(&v2("jobs/"), body).await.data().clone();
    assert_eq!(
        (&job["job_type"], &job["execute_steps"]),
        (&json!("other"), &json!(["dbt build"]))
    );
    let id = job["id"].as_i64().unwrap();
    assert!(dbt.v2("jobs/?name__icontains=ad+hoc").await.ids().contains(&id));
    let run = dbt.trigger(id).await;
    dbt.pass(60);
    assert_eq!(dbt.status_of(run).await, "Success");
    let path = v2(&format!("jobs/{id}/"));
    let gone = dbt.try_send(Method::DELETE, &path, None).await.unwrap();
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(dbt.get(&path).await.status, 404);
    assert_eq!(dbt.v2("jobs/?state=deleted").await.ids(), [id]);
    assert_eq!(dbt.status_of(run).await, "Success");
}

#[tokio::test]
async fn a_partial_update_of_a_job_resets_the_other_fields_unless_switched() {
    let dbt = TestSimulator::start().await;
    let path = v2(&format!("jobs/{}/", acme::NIGHTLY_JOB_ID));
    let renamed = json!({ "name": "Renamed" });
    dbt.running
        .change_switches(|switches| switches.partial_job_update = PartialJobUpdate::Keep);
    assert_eq!(
        dbt.post(&path, renamed.clone()).await.data()["execute_steps"],
        json!(["dbt seed", "dbt build"])
    );
    dbt.running
        .change_switches(|switches| switches.partial_job_update = PartialJobUpdate::Refuse);
    let refused = dbt.post(&path, renamed.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.data()["triggers"].is_string()),
        (400, true)
    );
    dbt.running
        .change_switches(|switches| switches.partial_job_update = PartialJobUpdate::ResetToDefaults);
    let reset = dbt.post(&path, renamed).await.data().clone();
    assert_eq!(
        (&reset["execute_steps"], &reset["job_type"]),
        (&json!(["dbt build"]), &json!("other"))
    );
    assert_eq!(reset["environment_id"], acme::PRODUCTION_ENVIRONMENT_ID);
}

#[tokio::test]
async fn invalid_bodies_are_refused_with_their_wrong_fields() {
    let dbt = TestSimulator::start().await;
    let answer = dbt
        .post(&v2("jobs/"), json!({ "name": "", "environment_id": "seven" }))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["status"]["code"]),
        (400, &json!(400))
    );
    let mut fields: Vec<&String> = answer.data().as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["environment_id", "name", "project_id"]);
    dbt.running
        .change_switches(|switches| switches.invalid_body_status = 422);
    let lost = json!({ "name": "x", "project_id": acme::PROJECT_ID, "environment_id": "seven" });
    assert_eq!(dbt.post(&v2("jobs/"), lost).await.status, 422);
    let missing = json!({ "name": "x", "project_id": 5, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID });
    assert!(dbt.post(&v2("jobs/"), missing).await.data()["project_id"].is_string());
}

#[tokio::test]
async fn a_project_written_in_v3_is_read_in_v2() {
    let dbt = TestSimulator::start().await;
    let project = dbt
        .post(&v3("projects/"), json!({ "name": "Returns", "description": "new" }))
        .await;
    let id = project.data()["id"].as_i64().unwrap();
    assert!(id > i64::from(u32::MAX));
    assert_eq!(dbt.v2(&format!("projects/{id}/")).await.data()["name"], "Returns");
    dbt.running
        .change_switches(|switches| switches.delete_answer = DeleteAnswer::Body);
    let gone = dbt
        .try_send(Method::DELETE, &v2(&format!("projects/{id}/")), None)
        .await
        .unwrap();
    assert_eq!((gone.status.as_u16(), &gone.data()["state"]), (200, &json!(2)));
    assert_eq!(dbt.v3(&format!("projects/{id}/")).await.status, 404);
}

#[tokio::test]
async fn a_service_token_gives_access_until_it_is_deleted() {
    let mut dbt = TestSimulator::start().await;
    let made = dbt.post(&v3("service-tokens/"), json!({ "name": "for a test" })).await;
    let (id, token) = (made.data()["id"].clone(), made.data()["token_string"].clone());
    assert!(token.as_str().unwrap().ends_with("****"));
    let token: &'static str = Box::leak(made.data()["token"].as_str().unwrap().to_owned().into_boxed_str());
    assert!(dbt.v3(&format!("service-tokens/{id}/")).await.data()["token"].is_null());
    dbt.token = token;
    assert_eq!(dbt.v2("").await.status, 200);
    dbt.token = acme::TOKEN;
    dbt.try_send(Method::DELETE, &v3(&format!("service-tokens/{id}/")), None)
        .await
        .unwrap();
    dbt.token = token;
    assert_eq!(dbt.v2("").await.status, 401);
}

#[tokio::test]
async fn whoami_names_the_user_or_refuses_service_tokens_by_switch() {
    let mut dbt = TestSimulator::start().await;
    assert_eq!(dbt.get("/api/v2/whoami/").await.data()["user"], Value::Null);
    dbt.running
        .change_switches(|switches| switches.whoami_for_service_tokens = false);
    assert_eq!(dbt.get("/api/v2/whoami/").await.status, 403);
    dbt.token = acme::USER_TOKEN;
    assert_eq!(
        dbt.get("/api/v2/whoami/").await.data()["user"]["email"],
        "ada.marlow@acme.example"
    );
}

#[tokio::test]
async fn environment_variables_have_a_value_for_each_scope_and_hide_secrets() {
    let dbt = TestSimulator::start().await;
    let base = format!("projects/{}/environment-variables/", acme::PROJECT_ID);
    let bulk = json!({ "env_var": { "new_name": "DBT_ENV_SECRET_KEY", "project": "hush", "Production": "hush hush" } });
    let made = dbt.post(&v3(&format!("{base}bulk/")), bulk).await;
    assert_eq!(made.data()[0]["data"]["new_var_ids"].as_array().unwrap().len(), 2);
    let seen = dbt.v3(&format!("{base}environment/")).await;
    let variable = &seen.data()["variables"]["DBT_ENV_SECRET_KEY"];
    assert_eq!(
        (&variable["project"]["value"], &variable["Production"]["value"]),
        (&json!("**********"), &json!("**********"))
    );
    let wrong = json!({ "env_var": [{ "new_name": "DBT_X", "Nowhere": "1" }] });
    let refused = dbt.post(&v3(&format!("{base}bulk/")), wrong).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.data()[0]["key_name"]),
        (400, &json!("Nowhere"))
    );
}

#[tokio::test]
async fn the_seeded_variables_have_values_for_their_environments_and_a_masked_secret() {
    let dbt = TestSimulator::start().await;
    let path = format!("projects/{}/environment-variables/environment/", acme::PROJECT_ID);
    let answer = dbt.v3(&path).await;
    let id = |index: i64| acme::FIRST_VARIABLE_VALUE_ID + index;
    let expected = json!({
        "environments": ["project", "Production", "Staging", "Development"],
        "variables": {
            acme::THREADS_VARIABLE: {
                "project": { "id": id(0), "value": "4" },
                "Production": { "id": id(1), "value": "16" },
                "Staging": { "id": id(2), "value": "8" },
            },
            acme::SCHEMA_VARIABLE: {
                "project": { "id": id(3), "value": "analytics_dev" },
                "Production": { "id": id(4), "value": "analytics" },
            },
            acme::SECRET_VARIABLE: {
                "project": { "id": id(5), "value": "**********" },
                "Production": { "id": id(6), "value": "**********" },
                "Staging": { "id": id(7), "value": "**********" },
            },
        },
    });
    assert_eq!(answer.data(), &expected);
    let change = json!({ "env_var": { "name": acme::SECRET_VARIABLE, id(5).to_string(): "another" } });
    let bulk = v3(&format!("projects/{}/environment-variables/bulk/", acme::PROJECT_ID));
    assert_eq!(
        dbt.try_send(Method::PUT, &bulk, Some(change)).await.unwrap().status,
        200
    );
    assert_eq!(dbt.v3(&path).await.data(), &expected, "a changed secret is masked too");
}

#[tokio::test]
async fn the_connections_of_an_account_are_listed_in_pages_and_read_one_by_one() {
    let dbt = TestSimulator::start().await;
    let page = dbt.v3("connections/?limit=2&offset=1").await;
    assert_eq!(
        page.ids(),
        [acme::SNOWFLAKE_CONNECTION_ID, acme::BIGQUERY_CONNECTION_ID]
    );
    assert_eq!(
        page.json["extra"]["pagination"],
        json!({ "count": 2, "total_count": acme::CONNECTIONS })
    );
    assert_eq!(
        dbt.v3("connections/?adapter_version=databricks_v0").await.ids(),
        [acme::DATABRICKS_CONNECTION_ID]
    );
    let listed = dbt.v3(&format!("connections/?limit={}", acme::CONNECTIONS)).await;
    assert_eq!(listed.data()[0]["environment__count"], 3);
    let one = dbt.v3(&format!("connections/{}/", acme::SNOWFLAKE_CONNECTION_ID)).await;
    assert_eq!(
        (&one.data()["adapter_version"], &one.data()["config"]["warehouse"]),
        (&json!("snowflake_v0"), &json!("REPORTING"))
    );
}

#[tokio::test]
async fn every_change_is_in_the_audit_log() {
    let dbt = TestSimulator::start().await;
    dbt.post(&v3("projects/"), json!({ "name": "Audited" })).await;
    let log = dbt
        .v3("audit-logs/?logged_at_start=2026-01-15&logged_at_end=2026-01-15")
        .await;
    assert_eq!(log.data()[0]["event_type"], "v1.events.project.added");
    assert_eq!(log.data()[0]["event_context"]["name"], "Audited");
    assert!(
        dbt.v3("audit-logs/?logged_at_start=2026-01-16")
            .await
            .data()
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(
        dbt.v3("audit-logs/download/")
            .await
            .text
            .contains("v1.events.project.added")
    );
}

#[tokio::test]
async fn a_step_is_read_by_itself_with_its_logs() {
    let dbt = TestSimulator::start().await;
    let run = dbt
        .v2(&format!("runs/{}/?include_related=run_steps", acme::SUCCEEDED_RUN_ID))
        .await;
    let step = &run.data()["run_steps"][4];
    let alone = dbt
        .v2(&format!("steps/{}/?include_related=debug_logs", step["id"]))
        .await;
    assert_eq!(
        (&alone.data()["index"], &alone.data()["run_step_command"]["dbt_command"]),
        (&json!(5), &json!("dbt build"))
    );
    assert!(
        alone.data()["logs"]
            .as_str()
            .unwrap()
            .contains("Completed successfully")
    );
    dbt.running
        .change_switches(|switches| switches.step_log_lag_secs = 1_000_000);
    assert_eq!(dbt.v2(&format!("steps/{}/", step["id"])).await.data()["logs"], "");
}
