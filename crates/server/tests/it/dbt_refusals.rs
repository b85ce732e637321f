//! Every 4xx of dbt Cloud is told as what it is, with dbt's words, and is no alarm.

use std::sync::{Arc, Mutex};

use model::Role;
use serde_json::{Value, json};
use simulator::{Fault, FaultBody, acme};

use crate::support::{Answer, TestApp};

/// The statuses of 4xx that the specification of HTTP names, and some that it does not, without 401, 403 and 429.
const REFUSALS: [u16; 24] = [
    400, 402, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 428, 431, 451,
    499,
];

fn words() -> FaultBody {
    FaultBody::Custom {
        content_type: "application/json".to_owned(),
        body: json!({
            "status": {"code": 405, "is_success": false, "user_message": "The words of dbt."},
            "data": {"force_node_selection": "cannot be set"},
        })
        .to_string(),
    }
}

/// What the process has logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// Keeps the lines of this thread from the level ERROR, which is what Sentry hears.
fn alarms() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::ERROR)
        .with_writer(move || writer.clone())
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

fn kind(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_refusal_of_a_read_or_a_change_is_a_4xx_with_dbts_words_and_no_alarm() {
    let (alarms, _guard) = alarms();
    let app = TestApp::start().await;
    let admin = app.caller(Role::Admin);
    let job = format!("/jobs/{}", acme::NIGHTLY_JOB_ID);
    let new = json!({"name": "n", "project_id": acme::PROJECT_ID, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID});
    let mut kinds = std::collections::BTreeSet::new();
    for status in REFUSALS {
        // The read before a PATCH succeeds.
        app.dbt.add_fault(Fault::on("POST", "/api/").answer(status, words()));
        app.dbt.add_fault(Fault::on("DELETE", "/api/").answer(status, words()));
        let changes = [
            admin.patch(&job, &json!({"description": "x"})).await,
            admin.post("/jobs", &new).await,
            admin.delete(&job).await,
            admin.post(&format!("{job}/runs"), &json!({"cause": "x"})).await,
            admin.post(&format!("{job}/rerun"), &json!({})).await,
            admin
                .post(&format!("/runs/{}/retry", acme::FAILED_RUN_ID), &json!({}))
                .await,
        ];
        app.dbt.clear_faults();
        app.dbt.add_fault(Fault::on("GET", "/api/").answer(status, words()));
        let reads = [
            admin.get(&job).await,
            admin.get("/jobs").await,
            admin.get("/runs?status=error").await,
            admin.get(&format!("/runs/{}/artifacts", acme::SUCCEEDED_RUN_ID)).await,
            admin.get("/accounts").await,
            admin.patch(&job, &json!({"description": "x"})).await,
        ];
        app.dbt.clear_faults();
        for (index, answer) in changes.iter().chain(&reads).enumerate() {
            // The caller of a list names no account: one that dbt Cloud does not show is the gateway's fault.
            let is_ours = status == 404 && index == 10;
            let case = format!("{status}, request {index}: {}", answer.text);
            assert_eq!(answer.status.is_client_error(), !is_ours, "{case}");
            let detail = answer.detail();
            assert!(detail.contains("The words of dbt"), "{case}");
            if index < 4 && !matches!(status, 400 | 404 | 422) {
                assert!(detail.contains("Nothing was changed."), "{case}");
            }
            if !is_ours {
                kinds.insert((answer.status.as_u16(), kind(answer)));
            }
            let row = app.row_of(answer).await;
            assert_eq!(row["status_code"], status, "{case}");
        }
    }
    let kinds: Vec<_> = kinds.iter().map(|(status, kind)| (*status, kind.as_str())).collect();
    assert_eq!(
        kinds,
        [
            (400, "/problems/invalid-request"),
            (404, "/problems/not-found"),
            (409, "/problems/cannot-retry"),
            (409, "/problems/dbt-conflict"),
            (422, "/problems/dbt-refused"),
            (422, "/problems/unprocessable-entity"),
        ]
    );
    let logged = alarms.take();
    let foreign = logged
        .lines()
        .filter(|line| !line.contains("dbt Cloud refused our credentials"));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[tokio::test]
async fn the_fields_that_dbt_cloud_names_are_told() {
    let app = TestApp::start().await;
    app.dbt.add_fault(Fault::on("POST", "/api/").answer(405, words()));
    let job = format!("/jobs/{}", acme::NIGHTLY_JOB_ID);
    let answer = app.caller(Role::Admin).patch(&job, &json!({"description": "x"})).await;
    let problem = answer.problem(422, "dbt-refused");
    assert_eq!(
        problem["detail"],
        "dbt Cloud answered 405 Method Not Allowed: The words of dbt. Nothing was changed."
    );
    assert_eq!(problem["errors"], json!({"force_node_selection": "cannot be set"}));
}

#[tokio::test]
async fn refused_credentials_and_time_limits_stay_alarms() {
    let (alarms, _guard) = alarms();
    let app = TestApp::start().await;
    for (status, told, kind) in [
        (401, 502, "dbt-credentials-refused"),
        (403, 502, "dbt-credentials-refused"),
        (408, 504, "dbt-timeout"),
    ] {
        app.dbt.add_fault(Fault::on("GET", "/api/").answer(status, words()));
        let answer = app.viewer().get("/jobs").await;
        answer.problem(told, kind);
        assert!(alarms.take().contains("ERROR"), "{status}");
        app.dbt.clear_faults();
    }
}

/// GraphQL errors with that status, longer than an excerpt.
fn graphql_errors(status: u16) -> Fault {
    let long = "A long description. ".repeat(100);
    let body = json!({
        "errors": [
            {"message": "Cannot query field \"nmae\".", "locations": [{"line": 1, "column": 3}], "extensions": {"code": "X"}},
            {"message": long},
        ],
        "data": {"good": 1},
    });
    Fault::on("POST", "/").answer(
        status,
        FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: body.to_string(),
        },
    )
}

#[tokio::test]
async fn graphql_errors_are_graphql_errors_with_every_status_on_both_apis() {
    let app = TestApp::start().await;
    let metrics = json!({"environment_id": acme::PRODUCTION_ENVIRONMENT_ID, "metrics": ["revenue"]});
    for (path, body) in [
        ("/metadata/query", json!({"query": "{ a }"})),
        ("/semantic-layer/query", json!({"query": "{ a }"})),
        ("/semantic-layer/query", metrics),
    ] {
        let post = async || app.viewer().post(path, &body).await;
        for status in [200, 400, 404, 405, 409, 413, 415, 422, 500, 502, 503, 504] {
            app.dbt.add_fault(graphql_errors(status));
            let answer = post().await;
            let problem = answer.problem(422, "graphql-errors");
            assert_eq!(problem["detail"], "dbt Cloud: Cannot query field \"nmae\".", "{status}");
            assert_eq!(
                problem["errors"][0]["extensions"]["code"], "X",
                "{status}: they are whole"
            );
            assert_eq!(problem["errors"][1]["message"].as_str().unwrap().len(), 2000);
            assert_eq!(problem["data"], json!({"good": 1}));
            assert_eq!(app.row_of(&answer).await["status_code"], status);
            app.dbt.clear_faults();
        }
        for (status, told, kind) in [
            (401, 502, "dbt-credentials-refused"),
            (403, 502, "dbt-credentials-refused"),
            (429, 429, "rate-limit"),
        ] {
            app.dbt.add_fault(graphql_errors(status));
            let problem = post().await.problem(told, kind);
            let detail = problem["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("Cannot query field \"nmae\"."), "{detail}");
            app.dbt.clear_faults();
        }
    }
}

#[tokio::test]
async fn an_answer_of_graphql_without_data_is_an_error_and_never_null() {
    let app = TestApp::start().await;
    let refused = json!({"status": {"code": 401, "is_success": false, "user_message": "Invalid token."}, "data": null});
    for (body, told, kind) in [
        (json!({"data": null}), 502, "dbt-unavailable"),
        (json!({}), 502, "dbt-unavailable"),
        (json!([]), 502, "dbt-unavailable"),
        (json!({"message": "Unauthorized"}), 502, "dbt-unavailable"),
        (refused, 502, "dbt-credentials-refused"),
        (
            json!({"errors": {"message": "one"}, "data": null}),
            422,
            "graphql-errors",
        ),
        (json!({"errors": ["one"]}), 422, "graphql-errors"),
        (json!({"errors": "one", "data": {}}), 422, "graphql-errors"),
    ] {
        let custom = FaultBody::Custom {
            content_type: "application/json".to_owned(),
            body: body.to_string(),
        };
        app.dbt.add_fault(Fault::on("POST", "/").answer(200, custom));
        for path in ["/metadata/query", "/semantic-layer/query"] {
            let answer = app.viewer().post(path, &json!({"query": "{ a }"})).await;
            assert_eq!(answer.status.as_u16(), told, "{body}: {}", answer.text);
            let problem: Value = answer.problem(told, kind);
            assert!(told != 422 || problem["detail"] == "dbt Cloud: one", "{problem:#}");
        }
        app.dbt.clear_faults();
    }
}
