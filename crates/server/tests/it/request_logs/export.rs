//! Exports of the request log: complete or visibly aborted, in little memory, without occupying a connection.

use std::time::Duration;

use futures::StreamExt as _;
use model::Role;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::support::{Answer, Setup, TestApp, eventually};

/// Many times the rows that sockets and the gateway buffer for a stalled reader.
const ROWS: i64 = 6000;

/// Inserts `ROWS` rows of company 1, of 10 kB each, one per second.
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

/// Starts an export without reading its body.
async fn start_export(app: &TestApp) -> Response {
    let path = "/request-logs/export?request_type=list_projects";
    let answer = app.caller(Role::Admin).request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// The number of lines, and whether the body ends cleanly.
async fn read_to_end(answer: Response) -> (i64, bool) {
    let (mut lines, mut body) = (0, answer.bytes_stream());
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            return (lines, false);
        };
        lines += i64::try_from(chunk.split(|byte| *byte == b'\n').count() - 1).unwrap();
    }
    (lines, true)
}

async fn small_export(app: &TestApp) -> Answer {
    app.caller(Role::Admin)
        .get("/request-logs/export?request_type=get_run")
        .await
}

#[tokio::test]
async fn an_export_has_every_row_once_newest_first() {
    let app = filled(Setup::default()).await;
    let answer = Answer::collect(start_export(&app).await).await;
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
    assert_eq!(
        listed["results"][0], rows[0],
        "a row has the same fields in lists and exports"
    );
    assert!(!app.has_row(&answer).await);
}

#[tokio::test]
async fn an_export_without_rows_is_empty() {
    let app = TestApp::start().await;
    let export = small_export(&app).await;
    assert_eq!((export.status.as_u16(), export.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_stalled_reader_occupies_no_database_connection() {
    let mut setup = Setup::default();
    setup.log_reading.connections = 1;
    let app = filled(setup).await;
    let unread = start_export(&app).await;
    assert_eq!(small_export(&app).await.status, 200, "the one connection is free");
    assert_eq!(read_to_end(unread).await, (ROWS, true));
}

#[tokio::test]
async fn an_export_that_loses_the_database_is_aborted_and_does_not_end_cleanly() {
    let app = filled(Setup::default()).await;
    let unread = start_export(&app).await;
    sqlx::query("ALTER TABLE request_log RENAME TO out_of_reach")
        .execute(app.database.pool())
        .await
        .unwrap();
    let (lines, complete) = read_to_end(unread).await;
    assert!(!complete && lines < ROWS, "{lines} lines, complete: {complete}");
}

#[tokio::test]
async fn concurrent_exports_are_limited_and_a_disconnected_reader_frees_its_slot() {
    let app = filled(Setup {
        max_exports: 1,
        ..Setup::default()
    })
    .await;
    let unread = start_export(&app).await;
    let problem: Value = small_export(&app).await.problem(503, "share-exhausted");
    assert!(problem["detail"].as_str().unwrap().contains("exports"), "{problem:#}");
    drop(unread);
    eventually(async || (small_export(&app).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn a_reader_that_stalls_too_long_is_aborted_and_frees_its_slot() {
    let stall = Duration::from_millis(100);
    let app = filled(Setup {
        max_exports: 1,
        export_stall: stall,
        ..Setup::default()
    })
    .await;
    let unread = start_export(&app).await;
    eventually(async || (small_export(&app).await.status == 200).then_some(())).await;
    let (lines, complete) = read_to_end(unread).await;
    assert!(!complete && lines < ROWS, "{lines} lines, complete: {complete}");
}
