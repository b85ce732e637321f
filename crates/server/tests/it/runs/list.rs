//! The list of runs: order, filters, pages and refusals.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, acme};

use crate::support::{Answer, TestApp};

/// The query sent to dbt Cloud since the last call without the page, the same in every exchange.
fn filters(app: &TestApp) -> Vec<(String, String)> {
    let path = format!("/api/v2/accounts/{}/runs/", acme::ACCOUNT_ID);
    let queries = app.dbt.requests().into_iter().map(|request| {
        assert_eq!((request.method.as_str(), request.path()), ("GET", path.as_str()));
        let mut query: Vec<_> = url::form_urlencoded::parse(request.query().unwrap().as_bytes())
            .into_owned()
            .collect();
        query.retain(|(name, _)| name != "limit" && name != "offset");
        query
    });
    let mut queries: Vec<_> = queries.collect();
    app.dbt.clear_requests();
    queries.dedup();
    assert_eq!(queries.len(), 1, "{queries:?}");
    queries.remove(0)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn results(answer: &Answer) -> Vec<Value> {
    answer.expect(200)["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_newest_runs_are_listed_first_by_default() {
    let app = TestApp::start().await;
    let answer = app.viewer().get("/runs?page_size=100").await;
    assert_eq!(answer.json()["count"], acme::HISTORIC_RUNS);
    assert!(answer.ids().is_sorted_by(|a, b| a > b), "{:?}", answer.ids());
    assert_eq!(filters(&app), [pair("order_by", "-id")]);

    let path = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let run = app
        .operator()
        .post(&path, &json!({"cause": "newest"}))
        .await
        .expect(201);
    assert_eq!(
        app.viewer().get("/runs?page_size=1").await.ids(),
        [run["id"].as_i64().unwrap()]
    );

    for order in ["id", "-id", "created_at", "-created_at", "finished_at", "-finished_at"] {
        app.dbt.clear_requests();
        let ids = app
            .viewer()
            .get(&format!("/runs?page_size=10&order_by={order}"))
            .await
            .ids();
        assert_eq!(ids.len(), 10);
        assert_eq!(filters(&app), [pair("order_by", order)]);
    }
}

#[tokio::test]
async fn a_page_of_runs_is_gathered_from_dbts_pages() {
    let app = TestApp::start().await;
    let first = app.viewer().get("/runs?page_size=120").await;
    assert_eq!(first.ids().len(), 120);
    assert_eq!(app.row_of(&first).await["attempts"], 2);
    let second = app.viewer().get(first.json()["next"].as_str().unwrap()).await;
    assert_eq!(second.ids().len(), acme::HISTORIC_RUNS - 120);
    assert_eq!(second.json()["next"], Value::Null);
    let mut all = [first.ids(), second.ids()].concat();
    all.dedup();
    assert_eq!(all.len(), acme::HISTORIC_RUNS);
}

#[tokio::test]
async fn runs_are_filtered_by_project_environment_and_job() {
    let app = TestApp::start().await;
    for (query, field, value, sent) in [
        (
            format!("project_id={}", acme::FINANCE_PROJECT_ID),
            "project_id",
            acme::FINANCE_PROJECT_ID,
            pair("project_id__in", &format!("[{}]", acme::FINANCE_PROJECT_ID)),
        ),
        (
            format!("environment_id={}", acme::FINANCE_ENVIRONMENT_ID),
            "environment_id",
            acme::FINANCE_ENVIRONMENT_ID,
            pair("environment_id", &acme::FINANCE_ENVIRONMENT_ID.to_string()),
        ),
        (
            format!("job_id={}", acme::FAILING_JOB_ID),
            "job_id",
            acme::FAILING_JOB_ID,
            pair("job_definition_id", &acme::FAILING_JOB_ID.to_string()),
        ),
    ] {
        let answer = app.viewer().get(&format!("/runs?{query}")).await;
        assert_eq!(filters(&app), [pair("order_by", "-id"), sent], "{query}");
        let runs = results(&answer);
        assert!(!runs.is_empty() && runs.len() < acme::HISTORIC_RUNS, "{query}");
        assert!(runs.iter().all(|run| run[field] == value), "{query}");
    }
    app.dbt.clear_requests();
    let both = format!("/runs?project_id={},{}", acme::PROJECT_ID, acme::FINANCE_PROJECT_ID);
    let runs = results(&app.viewer().get(&both).await);
    let list = format!("[{},{}]", acme::PROJECT_ID, acme::FINANCE_PROJECT_ID);
    assert_eq!(
        filters(&app)[1],
        pair("project_id__in", &list),
        "one JSON list in one parameter"
    );
    for project in [acme::PROJECT_ID, acme::FINANCE_PROJECT_ID] {
        assert!(runs.iter().any(|run| run["project_id"] == project));
    }

    let of_job = format!("/runs?job_id={}", acme::FAILING_JOB_ID);
    let row = app.row_of(&app.viewer().get(&of_job).await).await;
    assert_eq!(
        (&row["job_id"], &row["request_type"]),
        (&json!(acme::FAILING_JOB_ID), &json!("list_runs"))
    );
}

#[tokio::test]
async fn runs_are_filtered_by_one_or_several_statuses_by_name_or_number() {
    let app = TestApp::start().await;
    for (query, sent, numbers) in [
        ("error", "[20]", vec![20]),
        ("20", "[20]", vec![20]),
        ("Error,cancelled", "[20,30]", vec![20, 30]),
        ("30,+20", "[30,20]", vec![20, 30]),
        ("success", "[10]", vec![10]),
        ("queued,2,running", "[1,2,3]", vec![]),
    ] {
        let answer = app.viewer().get(&format!("/runs?status={query}")).await;
        assert_eq!(
            filters(&app),
            [pair("order_by", "-id"), pair("status__in", sent)],
            "{query}"
        );
        let mut seen: Vec<_> = results(&answer)
            .iter()
            .map(|run| run["status"].as_i64().unwrap())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, numbers, "{query}");
    }
}

#[tokio::test]
async fn runs_are_filtered_by_creation_and_end() {
    let app = TestApp::start().await;
    let of_job = format!("/runs?job_id={}", acme::HOURLY_JOB_ID);
    let all = results(&app.viewer().get(&of_job).await);
    let middle = all[all.len() / 2]["created_at"].as_str().unwrap().to_owned();
    let after = app
        .viewer()
        .get(&format!("{of_job}&created_after={middle}"))
        .await
        .ids();
    let before = app
        .viewer()
        .get(&format!("{of_job}&created_before={middle}"))
        .await
        .ids();
    let middle_id = all[all.len() / 2]["id"].as_i64().unwrap();
    assert!(
        after.contains(&middle_id) && before.contains(&middle_id),
        "both bounds are inclusive"
    );
    assert_eq!(after.len() + before.len(), all.len() + 1);
    let span = format!("{of_job}&created_after={middle}&created_before={middle}");
    assert_eq!(app.viewer().get(&span).await.ids(), [middle_id]);

    let path = format!("/jobs/{}/runs", acme::HOURLY_JOB_ID);
    let run = app
        .operator()
        .post(&path, &json!({"cause": "unfinished"}))
        .await
        .expect(201);
    let ended = app
        .viewer()
        .get(&format!("{of_job}&finished_after=2020-01-01T00:00:00%2B02:00"))
        .await
        .ids();
    assert_eq!(ended.len(), all.len(), "an unfinished run has no end");
    app.dbt.advance(Duration::from_mins(1));
    let now = app.dbt.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let ended = app.viewer().get(&format!("{of_job}&finished_before={now}")).await.ids();
    assert_eq!((ended.len(), ended[0]), (all.len() + 1, run["id"].as_i64().unwrap()));

    app.dbt.clear_requests();
    app.viewer()
        .get("/runs?created_after=2026-01-01T00:00:00Z")
        .await
        .expect(200);
    let sent = pair(
        "created_at__range",
        r#"["2026-01-01T00:00:00Z","2200-01-01T00:00:00Z"]"#,
    );
    assert_eq!(filters(&app), [pair("order_by", "-id"), sent]);
}

#[tokio::test]
async fn related_objects_are_included_on_request() {
    let app = TestApp::start().await;
    let plain = results(&app.viewer().get("/runs?page_size=1").await);
    assert_eq!((&plain[0]["trigger"], &plain[0]["job"]), (&Value::Null, &Value::Null));
    app.dbt.clear_requests();
    let full = results(
        &app.viewer()
            .get("/runs?page_size=1&include_related=trigger,job,audit")
            .await,
    );
    assert_eq!(filters(&app)[1], pair("include_related", "trigger,job,audit"));
    assert!(
        full[0]["trigger"]["cause"].is_string() && full[0]["job"]["name"].is_string(),
        "{full:#?}"
    );

    let path = format!("/runs/{}?include_related=environment,run_steps", acme::SUCCEEDED_RUN_ID);
    let run = app.viewer().get(&path).await.expect(200);
    assert!(run["environment"]["name"].is_string() && !run["run_steps"].as_array().unwrap().is_empty());
    let refused = app.viewer().get("/runs?include_related=run_steps").await;
    assert!(
        refused
            .detail()
            .ends_with("`run_steps` is none of trigger, job, audit."),
        "{}",
        refused.detail()
    );
}

#[tokio::test]
async fn invalid_filters_of_runs_are_refused_with_the_valid_ones() {
    let app = TestApp::start().await;
    let refusal = async |query: &str| {
        let answer = app.viewer().get(&format!("/runs?{query}")).await;
        answer.problem(400, "invalid-request")["detail"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let statuses = "queued (1), starting (2), running (3), success (10), error (20), cancelled (30)";
    for (query, value) in [
        ("status=failed", "failed"),
        ("status=error,", ""),
        ("status=42", "42"),
        ("status=", ""),
    ] {
        let expected = format!("In the query: status: `{value}` is none of {statuses}.");
        assert_eq!(refusal(query).await, expected);
    }
    assert!(
        refusal("order_by=duration")
            .await
            .contains("expected one of `id`, `-id`, `created_at`")
    );
    for query in [
        "project_id=0",
        "project_id=1,x",
        "project_id=",
        "environment_id=x",
        "job_id=1,2",
    ] {
        let (name, _) = query.split_once('=').unwrap();
        let detail = refusal(query).await;
        assert!(
            detail.starts_with(&format!("In the query: {name}: ")),
            "{query}: {detail}"
        );
    }
    for query in [
        "created_after=yesterday",
        "created_before=2026-01-01",
        "finished_after=2026-01-01T00:00:00",
        "finished_before=2026-01-01T00:00:00+01:00",
        "finished_before=",
    ] {
        let (name, text) = query.split_once('=').unwrap();
        // In a query, a plus sign is a space.
        let hint = if text.contains('+') { "; write `+` as `%2B`" } else { "" };
        let text = text.replace('+', " ");
        let expected = format!("In the query: {name}: `{text}` is not a time such as 2026-03-19T11:57:15Z{hint}.");
        assert_eq!(refusal(query).await, expected, "{query}");
    }
    assert_eq!(
        refusal("created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z").await,
        "In the query: `created_after` is later than `created_before`."
    );
    for query in ["status__in=[1]", "limit=5", "job_definition_id=1", "offset=1"] {
        let detail = refusal(query).await;
        for valid in [
            "project_id",
            "environment_id",
            "job_id",
            "status",
            "created_after",
            "finished_before",
            "order_by",
        ] {
            assert!(detail.contains(&format!("`{valid}`")), "{query}: {detail}");
        }
    }
    assert!(app.dbt.requests().is_empty());
    assert_eq!(app.rows().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_failed_page_fails_the_list() {
    let app = TestApp::start().await;
    for (status, kind, expected) in [
        (429, "rate-limit", 429),
        (500, "dbt-unavailable", 502),
        (403, "dbt-credentials-refused", 502),
        (404, "not-found", 404),
    ] {
        app.dbt.add_fault(Fault::on("GET", "/api/v2/").after(1).status(status));
        app.viewer().get("/runs").await.problem(expected, kind);
        app.dbt.clear_faults();
    }
}
