//! Exports of the request log: whole, in little memory and on no connection of their own, or visibly cut off.

use std::time::Duration;

use futures::StreamExt as _;
use model::Role;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::support::{Answer, Setup, TestApp};

/// Many times what sockets and the gateway hold between the table and a reader that does not read.
const ROWS: i64 = 6000;

/// `ROWS` rows of company 1, of 10 kB each, one a second.
async fn fill(app: &TestApp) {
    sqlx::query(
        "INSERT INTO request_log (request_uuid, surface, request_type, company_id, args, outcome, started_at, finished_at, duration_ms)
         SELECT gen_random_uuid(), 'internal', 'list_projects', 1,
             jsonb_build_object('n', n, 'text', repeat('x', 10000)), 'succeeded', moment, moment, 0
         FROM generate_series(1, $1) n, LATERAL (SELECT timestamptz '2026-01-15T09:00:00Z' + make_interval(secs => n)) t (moment)",
    )
    .bind(ROWS)
    .execute(app.database.pool())
    .await
    .unwrap();
}

async fn filled(setup: Setup) -> TestApp {
    let app = setup.start().await;
    fill(&app).await;
    app
}

/// The answer's head; its body is not read.
async fn begun(app: &TestApp) -> Response {
    let path = "/request-logs/export?request_type=list_projects";
    let answer = app.caller(Role::Admin).request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// How many lines come, and whether the body ends as it should.
async fn read_on(answer: Response) -> (i64, bool) {
    let (mut lines, mut body) = (0, answer.bytes_stream());
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            return (lines, false);
        };
        lines += i64::try_from(chunk.split(|byte| *byte == b'\n').count() - 1).unwrap();
    }
    (lines, true)
}

async fn another(app: &TestApp) -> Answer {
    app.caller(Role::Admin)
        .get("/request-logs/export?request_type=get_run")
        .await
}

#[tokio::test]
async fn an_export_holds_every_row_once_the_newest_first() {
    let app = filled(Setup::default()).await;
    let answer = Answer::collect(begun(&app).await).await;
    assert_eq!(
        answer.header(reqwest::header::CONTENT_TYPE),
        Some("application/x-ndjson")
    );
    let rows = answer.bodies();
    let numbers: Vec<_> = rows.iter().map(|row| row["args"]["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=ROWS).rev().collect::<Vec<_>>());
    let listed = app
        .caller(Role::Admin)
        .get("/request-logs?page_size=1")
        .await
        .expect(200);
    assert_eq!(listed["results"][0], rows[0], "a row looks the same everywhere");
    assert!(!app.has_row(&answer).await);
}

#[tokio::test]
async fn an_export_of_nothing_is_empty() {
    let app = TestApp::start().await;
    let nothing = another(&app).await;
    assert_eq!((nothing.status.as_u16(), nothing.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_no_connection() {
    let mut setup = Setup::default();
    setup.log_reading.connections = 1;
    let app = filled(setup).await;
    let unread = begun(&app).await;
    assert_eq!(another(&app).await.status, 200, "the one connection is free");
    assert_eq!(read_on(unread).await, (ROWS, true));
}

#[tokio::test]
async fn an_export_that_loses_its_database_breaks_off_and_does_not_end_as_if_whole() {
    let app = filled(Setup::default()).await;
    let unread = begun(&app).await;
    sqlx::query("ALTER TABLE request_log RENAME TO out_of_reach")
        .execute(app.database.pool())
        .await
        .unwrap();
    let (lines, whole) = read_on(unread).await;
    assert!(!whole && lines < ROWS, "{lines} lines, whole: {whole}");
}

#[tokio::test]
async fn exports_at_once_are_bounded_and_a_reader_that_went_away_leaves_its_place() {
    let app = filled(Setup {
        max_exports: 1,
        ..Setup::default()
    })
    .await;
    let unread = begun(&app).await;
    let problem: Value = another(&app).await.problem(503, "busy");
    assert!(problem["detail"].as_str().unwrap().contains("exports"), "{problem:#}");
    drop(unread);
    while another(&app).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_for_too_long_is_cut_off_and_loses_its_place() {
    let stall = Duration::from_millis(100);
    let app = filled(Setup {
        max_exports: 1,
        export_stall: stall,
        ..Setup::default()
    })
    .await;
    let unread = begun(&app).await;
    while another(&app).await.status != 200 {
        tokio::task::yield_now().await;
    }
    let (lines, whole) = read_on(unread).await;
    assert!(!whole && lines < ROWS, "{lines} lines, whole: {whole}");
}
