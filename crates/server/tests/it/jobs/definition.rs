//! Jobs listed, read, created and deleted.

use model::Role;
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use super::{nightly, only_query, sent};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn every_filter_of_jobs_is_sent_as_dbts_filter() {
    let app = TestApp::start().await;
    let (one, other, environment) = (acme::PROJECT_ID, acme::FINANCE_PROJECT_ID, acme::FINANCE_ENVIRONMENT_ID);
    for (query, expected) in [
        (String::new(), String::new()),
        (format!("project_id={one}"), format!("&project_id={one}")),
        (
            format!("project_id={one},{other}"),
            format!("&project_id__in=%5B{one}%2C{other}%5D"),
        ),
        (
            format!("environment_id={environment}"),
            format!("&environment_id={environment}"),
        ),
        ("name_contains=NIGHT".to_owned(), "&name__icontains=NIGHT".to_owned()),
        (
            "dbt_version=1.9,latest".to_owned(),
            "&dbt_version__in=%5B%221.9%22%2C%22latest%22%5D".to_owned(),
        ),
        (
            "scheduled=true&is_system=false".to_owned(),
            "&triggers_schedule=true&is_system=false".to_owned(),
        ),
        (
            "state=all&order_by=-id".to_owned(),
            "&state=all&order_by=-id".to_owned(),
        ),
        (
            "include_related=environment,most_recent_run".to_owned(),
            "&include_related=environment%2Cmost_recent_run".to_owned(),
        ),
    ] {
        let answer = app.viewer().get(&format!("/jobs?page_size=100&{query}")).await;
        answer.expect(200);
        assert_eq!(only_query(&app), expected, "{query}");
    }
    let scheduled = app.viewer().get("/jobs?scheduled=true").await.expect(200);
    let results = scheduled["results"].as_array().unwrap();
    assert!(!results.is_empty() && results.iter().all(|job| job["triggers"]["schedule"] == true));
    let related = app
        .viewer()
        .get(&format!("{}?include_related=environment", nightly()))
        .await;
    assert_eq!(
        related.expect(200)["environment"]["id"],
        acme::PRODUCTION_ENVIRONMENT_ID
    );
}

#[tokio::test]
async fn an_unknown_filter_of_jobs_is_refused_with_the_valid_ones() {
    let app = TestApp::start().await;
    let answer = app.viewer().get("/jobs?job_name=x").await;
    answer.problem(400, "invalid-request");
    let valid = "expected one of `account_id`, `credential`, `page`, `page_size`, `project_id`, `environment_id`, `name`, \
                 `name_contains`, `dbt_version`, `scheduled`, `is_system`, `is_fusion_ready`, `state`, `order_by`, \
                 `include_related`";
    assert!(answer.detail().contains(valid), "{}", answer.detail());
    let answer = app.viewer().get("/jobs?include_related=runs").await;
    answer.problem(400, "invalid-request");
    assert!(
        answer.detail().contains("`runs` is none of environment, "),
        "{}",
        answer.detail()
    );
}

#[tokio::test]
async fn an_exact_name_finds_none_one_or_several_jobs() {
    let app = TestApp::start().await;
    let job = app.viewer().get(&nightly()).await.expect(200);
    let name = job["name"].as_str().unwrap();
    let query: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let found = app.viewer().get(&format!("/jobs?name={query}")).await;
    assert_eq!(found.ids(), [acme::NIGHTLY_JOB_ID]);
    assert_eq!(found.json()["results"][0], job, "the list has the same fields");
    assert_eq!(app.viewer().get("/jobs?name=night").await.ids(), [0_i64; 0]);
    let body = json!({"name": name, "project_id": job["project_id"], "environment_id": job["environment_id"]});
    let twin = app.caller(Role::Admin).post("/jobs", &body).await.expect(201);
    let found = app.viewer().get(&format!("/jobs?name={query}")).await;
    assert_eq!(found.ids(), [acme::NIGHTLY_JOB_ID, twin["id"].as_i64().unwrap()]);
}

#[tokio::test]
async fn a_job_with_three_fields_is_created_with_defaults_and_readable_at_its_location() {
    let app = TestApp::start().await;
    let body = json!({
        "name": "Created here", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
        "settings": {"threads": 8},
    });
    let query = format!("account_id={0}&credential=account+{0}", acme::ACCOUNT_ID);
    let path = format!("/jobs?{query}");
    let answer = app.caller(Role::Admin).post(&path, &body).await;
    let job = answer.expect(201);
    let (line, sent) = sent(&app).remove(0);
    assert_eq!(line, "POST /jobs/");
    let expected = json!({
        "id": null, "account_id": acme::ACCOUNT_ID, "name": "Created here", "project_id": acme::PROJECT_ID,
        "environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "errors_on_lint_failure": true,
        "execution": {"timeout_seconds": 0}, "generate_docs": false, "lifecycle_webhooks": false,
        "run_compare_changes": false, "run_generate_sources": false, "run_lint": false,
        "settings": {"threads": 8, "target_name": "default"}, "state": 1,
        "triggers": {"github_webhook": false, "schedule": false},
    });
    assert_eq!(sent, expected);
    let location = answer.header(LOCATION).unwrap();
    assert_eq!(location, format!("/jobs/{}?{query}", job["id"]));
    assert_eq!(app.viewer().get(location).await.expect(200), job);
    let row = app.row_of(&answer).await;
    assert_eq!(
        (
            &row["request_type"],
            &row["outcome"],
            &row["job_id"],
            &row["args"]["fields"]["name"]
        ),
        (
            &json!("create_job"),
            &json!("succeeded"),
            &job["id"],
            &json!("Created here")
        )
    );
}

#[tokio::test]
async fn invalid_fields_of_a_job_are_refused_by_name_before_dbt_is_contacted() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let valid = json!({"name": "n", "project_id": 1, "environment_id": 2});
    let with = |field: &str, value: Value| {
        let mut body = valid.clone();
        body[field] = value;
        body
    };
    for (body, detail) in [
        (json!({"project_id": 1, "environment_id": 2}), "missing field `name`"),
        (with("name", json!("")), "`name`: "),
        (with("project_id", json!(0)), "`project_id`: "),
        (
            with("is_deferrable", json!(true)),
            "unknown field `is_deferrable`, expected one of `name`",
        ),
        (with("account_id", json!(1)), "unknown field `account_id`"),
        (with("generate_docs", Value::Null), "null"),
        (with("settings", json!({"threads": 0})), "`settings"),
        (with("settings", json!({"threads": null})), "null"),
        (
            with("schedule", json!({"date": {"type": "days_of_week", "days": [7]}})),
            "`schedule",
        ),
        (with("state", json!(3)), "`state`: "),
        (with("execute_steps", json!([""])), "`execute_steps"),
    ] {
        let answer = admin.post("/jobs", &body).await;
        answer.problem(400, "invalid-request");
        assert!(answer.detail().contains(detail), "{body}: {}", answer.detail());
    }
    for (body, detail) in [
        (json!({}), "name at least one field"),
        (json!({"name": null}), "null"),
        (json!({"id": 5}), "unknown field `id`"),
        (json!({"timeout": 5}), "unknown field `timeout`, expected one of `name`"),
    ] {
        let answer = admin.patch(&nightly(), &body).await;
        answer.problem(400, "invalid-request");
        assert!(answer.detail().contains(detail), "{body}: {}", answer.detail());
    }
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn dbts_errors_about_a_job_are_listed_by_field() {
    let app = TestApp::start().await;
    let body = json!({"name": "n", "project_id": acme::PROJECT_ID, "environment_id": 4711});
    let answer = app.caller(Role::Admin).post("/jobs", &body).await;
    let problem = answer.problem(400, "invalid-request");
    assert!(
        problem["errors"]["environment_id"].is_array() || problem["errors"]["environment_id"].is_string(),
        "{problem:#}"
    );
}

#[tokio::test]
async fn a_job_is_deleted_with_and_without_a_body_and_a_page_of_a_proxy_is_no_answer() {
    for body in [None, Some(FaultBody::Empty), Some(FaultBody::Envelope)] {
        let app = TestApp::start().await;
        let path = format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID);
        let is_simulated = body.is_none();
        if let Some(body) = body {
            app.dbt.add_fault(Fault::on("DELETE", &path).answer(200, body));
        }
        let answer = app.caller(Role::Admin).delete(&nightly()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        assert_eq!(sent(&app)[0].0, format!("DELETE /jobs/{}/", acme::NIGHTLY_JOB_ID));
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["outcome"], &row["job_id"]),
            (&json!("succeeded"), &json!(acme::NIGHTLY_JOB_ID))
        );
        if is_simulated {
            app.viewer().get(&nightly()).await.problem(404, "not-found");
            let again = app.caller(Role::Admin).delete(&nightly()).await;
            again.problem(404, "not-found");
        }
    }
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::everywhere().answer(200, FaultBody::Html));
    let answer = app.caller(Role::Admin).delete(&nightly()).await;
    answer.problem(502, "dbt-unavailable");
    assert_eq!(app.row_of(&answer).await["outcome"], "decode");
}

#[tokio::test]
async fn only_admins_change_jobs_unless_the_gateway_is_read_only() {
    let app = TestApp::start().await;
    app.operator().delete(&nightly()).await.problem(403, "forbidden");
    let setup = Setup {
        read_only: true,
        ..Setup::default()
    };
    let app = setup.start().await;
    let answer = app.caller(Role::Admin).patch(&nightly(), &json!({"name": "n"})).await;
    answer.problem(403, "read-only");
    assert!(app.dbt.requests().is_empty());
}

#[tokio::test]
async fn fields_of_unexpected_types_become_null() {
    let app = TestApp::start().await;
    let job = json!({"data": {
        "id": "70403103940001", "name": 5, "execute_steps": "dbt build", "settings": "many", "schedule": {"date": "daily", "cron": "x"},
        "triggers": {"schedule": "yes", "on_merge": true}, "created_at": "2025-03-27 20:37:19.996618+00:00", "next_run": "soon",
        "execution": null, "job_type": "of_the_future", "new_field": {},
    }});
    let body = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: job.to_string(),
    };
    app.dbt.add_fault(Fault::everywhere().answer(200, body));
    let job = app.viewer().get(&nightly()).await.expect(200);
    assert_eq!(
        (&job["id"], &job["name"], &job["execute_steps"]),
        (&json!(acme::NIGHTLY_JOB_ID), &Value::Null, &Value::Null)
    );
    assert_eq!((&job["settings"], &job["execution"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&job["schedule"]["date"], &job["schedule"]["cron"]),
        (&Value::Null, &json!("x"))
    );
    assert_eq!(
        (&job["triggers"]["schedule"], &job["triggers"]["on_merge"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(
        (&job["created_at"], &job["next_run"]),
        (&json!("2025-03-27T20:37:19.996618Z"), &Value::Null)
    );
    assert_eq!(
        (&job["job_type"], job.get("new_field")),
        (&json!("of_the_future"), None)
    );
}
