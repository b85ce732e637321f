//! Failures: errors of dbt Cloud are passed on unchanged, and only reads are retried.

use std::time::Duration;

use model::Role;
use serde_json::json;
use simulator::{Effect, Fault, FaultBody, acme};

use super::{refusal, v2, v3};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn errors_of_dbt_are_passed_on_unchanged() {
    let app = TestApp::start().await;
    let bodies = [
        FaultBody::Envelope,
        FaultBody::Html,
        FaultBody::Empty,
        FaultBody::Malformed,
        FaultBody::Custom {
            content_type: "text/plain".to_owned(),
            body: "no".to_owned(),
        },
    ];
    for (status, outcome) in [
        (400, "invalid_request"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "not_found"),
        (405, "unexpected_status"),
        (409, "unexpected_status"),
        (422, "unprocessable_entity"),
        (429, "too_many_requests"),
        (500, "unexpected_status"),
    ] {
        for body in &bodies {
            let effect = Effect::Answer {
                status,
                body: body.clone(),
                headers: Vec::new(),
                work_done: false,
            };
            let fault = app.dbt.add_fault(Fault {
                effect,
                ..Fault::default()
            });
            let direct = app
                .http
                .get(format!("{}{}", app.dbt.base_url(), v2("/jobs/")))
                .send()
                .await
                .unwrap();
            let (content_type, text) = (
                direct.headers().get("content-type").cloned(),
                direct.text().await.unwrap(),
            );
            let answer = app.viewer().get(&v2("/jobs/")).await;
            assert_eq!((answer.status.as_u16(), &answer.text), (status, &text), "{body:?}");
            assert_eq!(answer.headers.get("content-type"), content_type.as_ref());
            let row = app.row_of(&answer).await;
            assert_eq!(
                (&row["status_code"], &row["outcome"], &row["attempts"]),
                (&json!(status), &json!(outcome), &json!(1))
            );
            app.dbt.remove_fault(fault);
        }
    }
}

#[tokio::test]
async fn reads_are_retried_after_a_transient_failure_and_posts_are_not() {
    let app = TestApp::start().await;
    let answer_with = |status, times| Fault {
        times,
        effect: Effect::Answer {
            status,
            body: FaultBody::Html,
            headers: Vec::new(),
            work_done: false,
        },
        ..Fault::default()
    };
    for status in [408, 502, 503, 504] {
        app.dbt.clear_requests();
        app.dbt.add_fault(answer_with(status, Some(2)));
        let answer = app.viewer().get(&v2("/jobs/")).await;
        assert_eq!((answer.status.as_u16(), app.dbt.requests().len()), (200, 3), "{status}");

        // The last answer is passed on unchanged.
        let fault = app.dbt.add_fault(answer_with(status, None));
        app.dbt.clear_requests();
        let answer = app.viewer().get(&v2("/jobs/")).await;
        assert_eq!((answer.status.as_u16(), app.dbt.requests().len()), (status, 3));
        assert!(answer.text.contains("<html"), "{}", answer.text);

        app.dbt.clear_requests();
        let job = v2(&format!("/jobs/{}/", acme::NIGHTLY_JOB_ID));
        let admin = app.caller(Role::Admin);
        let posts = [
            admin.post(&job, &json!({"name": "x"})).await,
            admin.post("/graphql", &json!({"query": "mutation { x }"})).await,
            admin
                .post(
                    "/api/graphql",
                    &json!({"query": "mutation { createQuery { queryId } }"}),
                )
                .await,
            admin
                .post("/api/graphql", &json!([{"query": "{a}"}, {"query": "mutation { x }"}]))
                .await,
            admin.post("/api/v2/unknown/", &json!({})).await,
            admin.delete(&v2("/jobs/1/")).await,
            admin.get(&v3("/webhooks/subscription/wsu_1/test")).await,
        ];
        for answer in &posts {
            assert_eq!(answer.status.as_u16(), status);
        }
        assert_eq!(app.dbt.requests().len(), posts.len(), "{status}");
        app.dbt.remove_fault(fault);
    }
}

#[tokio::test]
async fn an_interrupted_connection_is_a_502_and_a_post_is_not_retried() {
    let app = TestApp::start().await;
    for effect in [Effect::ResetBefore, Effect::ResetAfter] {
        app.dbt.clear_requests();
        let fault = app.dbt.add_fault(Fault {
            effect,
            ..Fault::default()
        });
        let job = v2(&format!("/jobs/{}/", acme::NIGHTLY_JOB_ID));
        let answer = app.caller(Role::Admin).post(&job, &json!({"name": "x"})).await;
        assert!(refusal(&answer, 502).contains("What the change did is unknown"));
        assert_eq!(app.dbt.requests().len(), 1);
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["outcome"], &row["job_id"]),
            (&json!("disconnected"), &json!(acme::NIGHTLY_JOB_ID))
        );

        // A document of queries alone is a read.
        for (document, sent) in [
            ("{__typename}", 3),
            ("mutation { x }", 1),
            ("{ a } mutation M { x }", 1),
        ] {
            app.dbt.clear_requests();
            let query = app.viewer().post("/graphql", &json!({"query": document})).await;
            if query.status != 403 {
                super::graphql_refusal(&query, 502);
                assert_eq!(app.dbt.requests().len(), sent, "{document}");
            }
        }
        app.dbt.remove_fault(fault);
    }
}

#[tokio::test]
async fn a_timeout_of_dbt_is_a_504_in_dbts_envelope() {
    let mut setup = Setup::default();
    setup.http.read_timeout = Duration::from_millis(300);
    let app = setup.start().await;
    app.dbt.add_fault(Fault {
        delay_before_ms: 60_000,
        ..Fault::default()
    });
    let answer = app.viewer().get(&v2("/jobs/")).await;
    assert!(refusal(&answer, 504).contains("did not answer in time"));
    assert_eq!(app.row_of(&answer).await["outcome"], "timeout");
}

/// Before anything has left to the caller, also if the beginning of the body had come.
#[tokio::test]
async fn a_read_whose_body_breaks_off_is_sent_again_and_goes_unseen() {
    let app = TestApp::start().await;
    let query = json!({"query": format!("{{ job(id: {}) {{ id }} }}", acme::NIGHTLY_JOB_ID)});
    let metrics =
        json!({"query": format!("{{ metrics(environmentId: {}) {{ name }} }}", acme::PRODUCTION_ENVIRONMENT_ID)});
    let artifact = format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID);
    for effect in [
        Effect::Truncate { keep_bytes: Some(0) },
        Effect::Truncate { keep_bytes: Some(10) },
        Effect::ResetBefore,
        Effect::ResetAfter,
    ] {
        let breaks = |path: &str| {
            app.dbt.add_fault(Fault {
                path_contains: path.to_owned(),
                effect: effect.clone(),
                ..Fault::everywhere().times(2)
            });
        };
        // An artifact has begun to leave.
        let keeps_some = effect == Effect::Truncate { keep_bytes: Some(10) };
        for path in [
            v2("/jobs/"),
            v2("/"),
            v3("/projects/"),
            "/jobs".to_owned(),
            "/projects".to_owned(),
        ] {
            breaks("/accounts/");
            let answer = app.viewer().get(&path).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}: {effect:?}: {}", answer.text);
            app.dbt.clear_faults();
        }
        for (path, body) in [
            ("/graphql", &query),
            ("/api/graphql", &metrics),
            ("/metadata/query", &query),
            ("/semantic-layer/query", &metrics),
        ] {
            breaks("graphql");
            let answer = app.viewer().post(path, body).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}: {effect:?}: {}", answer.text);
            app.dbt.clear_faults();
        }
        if !keeps_some {
            breaks("/artifacts/");
            let answer = app.viewer().get(&artifact).await;
            assert_eq!(answer.status.as_u16(), 200, "{effect:?}: {}", answer.text);
            answer.json();
            app.dbt.clear_faults();
        }
    }
}
