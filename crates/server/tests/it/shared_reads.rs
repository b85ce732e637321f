//! Reads that share an exchange with dbt Cloud, and kept answers.

use std::time::Duration;

use futures::future::join_all;
use model::{CompanyId, Role};
use reqwest::Method;
use serde_json::json;
use simulator::{Fault, acme};

use crate::support::{Answer, COMPANY, Setup, TestApp, running_and_failed_run};

const RUN: &str = "/runs/70403104000901";

fn relayed(path: &str) -> String {
    format!("/api/v2/accounts/{}{path}", acme::ACCOUNT_ID)
}

/// Answers are kept, as in the default settings, but for longer.
fn keeping() -> Setup {
    let mut setup = Setup::default();
    setup.cache.fresh = vec![("get_run".to_owned(), Duration::from_mins(10))];
    setup.cache.ended_fresh = Duration::from_mins(10);
    setup
}

fn source(answer: &Answer) -> &str {
    answer.header("x-cache").unwrap_or("none")
}

fn slowly() -> Fault {
    Fault::everywhere().delay_before_ms(400)
}

#[tokio::test]
async fn identical_reads_at_the_same_time_make_one_exchange_and_have_a_row_each() {
    let app = TestApp::start().await;
    for path in [
        RUN.to_owned(),
        relayed("/runs/70403104000901/"),
        "/projects?page_size=3".to_owned(),
    ] {
        app.dbt.clear_requests();
        let slow = app.dbt.add_fault(slowly());
        let answers = join_all((0..12).map(|_| async { app.viewer().get(&path).await })).await;
        app.dbt.remove_fault(slow);
        assert_eq!(app.dbt.requests().len(), 1, "{path}: {:#?}", app.dbt.requests());
        let first = answers
            .iter()
            .find(|answer| source(answer) == "miss")
            .expect("one asked");
        for answer in &answers {
            answer.expect(200);
            assert_eq!(answer.text, first.text, "{path}");
            let row = app.row_of(answer).await;
            assert_eq!(row["status_code"], 200, "{path}");
            assert_eq!(row["outcome"], "succeeded", "{path}");
            if answer.request_uuid() == first.request_uuid() {
                assert_eq!((&row["served_from"], &row["attempts"]), (&json!("dbt"), &json!(1)));
                continue;
            }
            assert_eq!(source(answer), "coalesced", "{path}");
            assert_eq!(
                (&row["served_from"], &row["attempts"]),
                (&json!("coalesced"), &json!(0))
            );
            assert_eq!(row["source_request_uuid"], first.request_uuid());
            assert_eq!(row["bytes"], json!(null));
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_read_of_nobody_else() {
    let app = TestApp::start().await;
    let slow = app.dbt.add_fault(slowly());
    let first = app
        .viewer()
        .request(Method::GET, RUN)
        .timeout(Duration::from_millis(150));
    let others = async {
        // The first one's request is at dbt Cloud.
        app.dbt_received(1, "GET").await;
        join_all((0..3).map(|_| async { app.viewer().get(RUN).await })).await
    };
    let (first, others) = tokio::join!(first.send(), others);
    app.dbt.remove_fault(slow);
    assert!(first.unwrap_err().is_timeout());
    for answer in others {
        answer.expect(200);
        assert_eq!(source(&answer), "coalesced");
    }
    assert_eq!(app.dbt.requests().len(), 1);
}

#[tokio::test]
async fn an_error_is_shared_with_those_who_waited_and_kept_for_nobody() {
    let app = keeping().start().await;
    let slow = app.dbt.add_fault(slowly());
    let broken = app.dbt.add_fault(Fault::everywhere().status(500));
    let answers = join_all((0..5).map(|_| async { app.viewer().get(RUN).await })).await;
    assert_eq!(app.dbt.requests().len(), 1);
    for answer in &answers {
        answer.problem(502, "dbt-unavailable");
        let row = app.row_of(answer).await;
        assert_eq!(
            (&row["outcome"], &row["status_code"]),
            (&json!("unexpected_status"), &json!(500))
        );
    }
    app.dbt.remove_fault(slow);
    app.dbt.remove_fault(broken);
    let next = app.viewer().get(RUN).await;
    next.expect(200);
    assert_eq!(source(&next), "miss");
}

#[tokio::test]
async fn nothing_is_shared_between_companies_with_the_same_token_or_between_credentials() {
    let second = CompanyId(2);
    let mut setup = keeping();
    setup.accounts.push((second, acme::ACCOUNT_ID, acme::TOKEN.to_owned()));
    let app = setup.start().await;
    assert_eq!(app.create_company("Twin").await, second);
    let twin = app.create_key(second, Role::Viewer).await;
    let again = app.create_key(COMPANY, Role::Viewer).await;
    let other = json!({"name": "other", "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url()});
    app.caller(Role::Admin).post("/credentials", &other).await.expect(201);
    for (key, path, expected) in [
        (app.key(Role::Viewer), RUN.to_owned(), "miss"),
        (&again, RUN.to_owned(), "hit"),
        (&twin, RUN.to_owned(), "miss"),
        (&again, format!("{RUN}?credential=other"), "miss"),
        (&again, relayed("/runs/70403104000901/"), "miss"),
        (&twin, RUN.to_owned(), "hit"),
    ] {
        let answer = app.with_key(key).get(&path).await;
        answer.expect(200);
        assert_eq!(source(&answer), expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_kept_of_a_run_that_ended_is_the_same_to_the_byte() {
    let app = keeping().start().await;
    // Shows that the run has ended.
    app.viewer().get(RUN).await.expect(200);
    for path in [
        RUN.to_owned(),
        format!("{RUN}/artifacts"),
        format!("{RUN}/artifacts/run_results.json"),
        relayed("/runs/70403104000901/"),
        relayed("/runs/70403104000901/artifacts/"),
        relayed("/runs/70403104000901/artifacts/run_results.json"),
    ] {
        let asked = app
            .viewer()
            .send(
                app.viewer()
                    .request(Method::GET, &path)
                    .header("cache-control", "no-cache"),
            )
            .await;
        app.dbt.clear_requests();
        let kept = app.viewer().get(&path).await;
        asked.expect(200);
        assert_eq!((source(&asked), source(&kept)), ("miss", "hit"), "{path}");
        assert_eq!(app.dbt.requests().len(), 0, "{path}");
        assert_eq!(kept.header("age"), Some("0"), "{path}");
        assert_eq!(asked.text, kept.text, "{path}");
        for name in ["content-type", "content-length", "etag", "cache-control", "vary"] {
            assert_eq!(asked.header(name), kept.header(name), "{path}: {name}");
        }
        let row = app.row_of(&kept).await;
        assert_eq!(
            (&row["served_from"], &row["attempts"], &row["status_code"]),
            (&json!("cache"), &json!(0), &json!(200))
        );
        assert_eq!(row["source_request_uuid"], asked.request_uuid(), "{path}");
    }
}

#[tokio::test]
async fn a_change_drops_what_it_touches_at_once() {
    let app = keeping().start().await;
    let (running, _) = running_and_failed_run(&app).await;
    let path = format!("/runs/{running}");
    let before = app.viewer().get(&path).await;
    assert_eq!(source(&app.viewer().get(&path).await), "hit");
    app.operator()
        .post(&format!("{path}/cancel"), &json!({}))
        .await
        .expect(202);
    let after = app.viewer().get(&path).await;
    assert_eq!(source(&after), "miss");
    assert_ne!(before.expect(200)["status"], after.expect(200)["status"]);
}

#[tokio::test]
async fn a_read_after_a_change_does_not_join_one_that_began_before_it() {
    let app = TestApp::start().await;
    let slow = app.dbt.add_fault(Fault::on("GET", "/").delay_after_ms(600).once());
    let viewer = app.viewer();
    let later = async {
        app.dbt_received(1, "GET").await;
        let started = app
            .operator()
            .post(
                &format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID),
                &json!({"cause": "new"}),
            )
            .await;
        let run = started.expect(201)["id"].clone();
        (run, app.viewer().get("/runs?page_size=2").await)
    };
    let (before, (run, after)) = tokio::join!(viewer.get("/runs?page_size=2"), later);
    app.dbt.remove_fault(slow);
    before.expect(200);
    assert_eq!(source(&after), "miss");
    assert!(after.ids().contains(&run.as_i64().unwrap()));
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_streamed_to_each() {
    let mut setup = keeping();
    setup.cache.max_body_bytes = 100;
    let app = setup.start().await;
    app.viewer().get(RUN).await.expect(200);
    app.dbt.clear_requests();
    let path = format!("{RUN}/artifacts/run_results.json");
    let slow = app.dbt.add_fault(slowly());
    let answers = join_all((0..4).map(|_| async { app.viewer().get(&path).await })).await;
    app.dbt.remove_fault(slow);
    for answer in &answers {
        answer.expect(200);
        assert_eq!(answer.text, answers[0].text);
        assert_eq!(source(answer), "miss");
    }
    assert_eq!(app.dbt.requests().len(), 4);
}

#[tokio::test]
async fn an_older_answer_is_served_while_dbt_cloud_fails_and_says_that_it_is_stale() {
    let mut setup = Setup::default();
    setup.cache.stale = Duration::from_mins(10);
    let app = setup.start().await;
    for path in ["/projects", RUN] {
        let good = app.viewer().get(path).await;
        for fault in [
            Fault::everywhere().status(503),
            Fault::everywhere().status(429),
            Fault::everywhere().reset_before(),
        ] {
            let failing = app.dbt.add_fault(fault);
            let stale = app.viewer().get(path).await;
            app.dbt.remove_fault(failing);
            assert_eq!(stale.expect(200), good.expect(200), "{path}");
            assert_eq!(source(&stale), "stale", "{path}");
            let row = app.row_of(&stale).await;
            // dbt Cloud was asked, and its error is on record.
            assert_eq!(
                (&row["outcome"], &row["served_from"]),
                (&json!("succeeded"), &json!("dbt")),
                "{path}"
            );
        }
        let missing = app.dbt.add_fault(Fault::everywhere().status(404));
        assert_eq!(app.viewer().get(path).await.status, 404, "dbt Cloud's word counts");
        app.dbt.remove_fault(missing);
    }
}
