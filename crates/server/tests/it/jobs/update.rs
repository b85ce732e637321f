//! Updating a job: it is read, merged, and sent completely.

use model::Role;
use serde_json::{Value, json};
use simulator::{Effect, Fault, PartialJobUpdate, acme};

use super::{nightly, sent};
use crate::support::TestApp;

/// dbt Cloud may keep, refuse, or reset omitted fields.
#[tokio::test]
async fn an_update_reads_merges_and_sends_the_whole_job_in_every_mode_of_dbt() {
    for mode in [
        PartialJobUpdate::Keep,
        PartialJobUpdate::Refuse,
        PartialJobUpdate::ResetToDefaults,
    ] {
        let app = TestApp::start().await;
        app.dbt.change_switches(|switches| switches.partial_job_update = mode);
        let before = app.viewer().get(&nightly()).await.expect(200);
        app.dbt.clear_requests();
        let change = json!({"description": "Changed", "settings": {"threads": 13}});
        let answer = app.caller(Role::Admin).patch(&nightly(), &change).await;
        let after = answer.expect(200);

        let sent = sent(&app);
        let path = format!("/jobs/{}/", acme::NIGHTLY_JOB_ID);
        assert_eq!(
            sent.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>(),
            [format!("GET {path}"), format!("POST {path}")]
        );
        let body = sent[1].1.as_object().unwrap();
        for read_only in [
            "id",
            "created_at",
            "updated_at",
            "is_deferrable",
            "raw_dbt_version",
            "job_type",
            "next_run",
        ] {
            assert!(!body.contains_key(read_only), "{read_only}");
        }
        let mut expected = before.clone();
        expected["description"] = json!("Changed");
        expected["settings"]["threads"] = json!(13);
        expected["updated_at"] = after["updated_at"].clone();
        assert_eq!(after, expected, "nothing else is changed");

        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["outcome"], &row["attempts"], &row["job_id"]),
            (
                &json!("update_job"),
                &json!("succeeded"),
                &json!(2),
                &json!(acme::NIGHTLY_JOB_ID)
            )
        );
        let exchanges: Vec<_> = row["exchanges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| (&each["operation"], &each["why"]))
            .collect();
        assert_eq!(
            exchanges,
            [
                (&json!("get_job"), &json!("before_change")),
                (&json!("update_job"), &json!("asked"))
            ]
        );
    }
}

#[tokio::test]
async fn null_clears_a_field_and_enabling_the_schedule_changes_the_job_type() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let job = admin.get(&nightly()).await.expect(200);
    let body = json!({
        "name": "Pinned", "project_id": job["project_id"], "environment_id": job["environment_id"],
        "dbt_version": "1.9.0-latest",
    });
    let pinned = admin.post("/jobs", &body).await.expect(201);
    assert_eq!(
        (&pinned["dbt_version"], &pinned["job_type"]),
        (&json!("1.9.0-latest"), &json!("other"))
    );
    let path = format!("/jobs/{}", pinned["id"]);
    let change = json!({"dbt_version": null, "triggers": {"schedule": true}});
    let changed = admin.patch(&path, &change).await.expect(200);
    assert_eq!(
        (&changed["dbt_version"], &changed["job_type"]),
        (&Value::Null, &json!("scheduled"))
    );
    assert_eq!(changed["triggers"]["github_webhook"], false);
}

#[tokio::test]
async fn unknown_fields_survive_an_update() {
    let app = TestApp::start().await;
    app.dbt
        .add_fault(Fault::on("GET", "/api/v2/").effect(Effect::UnknownFields));
    let read = app
        .caller(Role::Admin)
        .patch(&nightly(), &json!({"name": "Renamed"}))
        .await;
    read.expect(200);
    let sent = sent(&app);
    let written = &sent[1].1["a_field_of_next_year"];
    assert_eq!(written["nested"], json!([1, "two", null]), "{:#}", sent[1].1);
}

#[tokio::test]
async fn an_update_whose_read_failed_changes_nothing_and_says_so() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::on("GET", "/api/v2/").status(503));
    let answer = app
        .caller(Role::Admin)
        .patch(&nightly(), &json!({"name": "Renamed"}))
        .await;
    answer.problem(502, "dbt-unavailable");
    assert!(
        answer.detail().ends_with(" Nothing was changed."),
        "{}",
        answer.detail()
    );
    assert!(app.dbt.requests_to("POST", "/").is_empty());
}

#[tokio::test]
async fn the_read_of_an_update_is_retried_and_its_write_is_not() {
    let app = TestApp::start().await;
    let path = format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID);
    app.dbt.add_fault(Fault::on("GET", &path).status(503).once());
    app.dbt.add_fault(Fault::on("POST", &path).status(503));
    let answer = app
        .caller(Role::Admin)
        .patch(&nightly(), &json!({"name": "Renamed"}))
        .await;
    answer.problem(502, "dbt-unavailable");
    assert!(
        answer
            .detail()
            .ends_with("What the change did is unknown: look before you repeat it.")
    );
    let methods: Vec<_> = sent(&app)
        .into_iter()
        .map(|(line, _)| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(methods, ["GET", "GET", "POST"]);
    app.dbt.clear_requests();
    let body = json!({"name": "n", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID});
    app.caller(Role::Admin)
        .post("/jobs", &body)
        .await
        .problem(502, "dbt-unavailable");
    assert_eq!(app.dbt.requests().len(), 1);
}

/// dbt Cloud refuses the field in CI and merge jobs, and sends it in every job.
#[tokio::test]
async fn the_node_selection_is_written_back_only_where_dbt_cloud_takes_it() {
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let job = |id: i64| format!("/jobs/{id}");
    let written = |app: &TestApp| sent(app).pop().unwrap().1.get("force_node_selection").cloned();
    for (id, change, expected) in [
        (acme::CI_JOB_ID, json!({"description": "x"}), None),
        (acme::NIGHTLY_JOB_ID, json!({"description": "x"}), Some(json!(true))),
        (
            acme::NIGHTLY_JOB_ID,
            json!({"force_node_selection": false}),
            Some(json!(false)),
        ),
        (
            acme::NIGHTLY_JOB_ID,
            json!({"triggers": {"on_merge": true, "schedule": false}}),
            None,
        ),
        (acme::NIGHTLY_JOB_ID, json!({"description": "a merge job now"}), None),
        (
            acme::NIGHTLY_JOB_ID,
            json!({"triggers": {"on_merge": false}, "force_node_selection": false}),
            Some(json!(false)),
        ),
    ] {
        app.dbt.clear_requests();
        admin.patch(&job(id), &change).await.expect(200);
        assert_eq!(written(&app), expected, "{change}");
    }
    // What the caller names is dbt Cloud's to refuse.
    let new = json!({
        "name": "ci", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
        "triggers": {"github_webhook": true}, "force_node_selection": true,
    });
    for answer in [
        admin
            .patch(&job(acme::CI_JOB_ID), &json!({"force_node_selection": true}))
            .await,
        admin.post("/jobs", &new).await,
    ] {
        let problem = answer.problem(422, "dbt-refused");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("405") && detail.contains("force_node_selection"),
            "{detail}"
        );
    }
}
