//! The events of runs: complete, in order, and on any replica.

use std::time::Duration;

use model::Role;
use serde_json::{Value, json};
use simulator::acme;

use super::sse::Sse;
use super::{Background, WHOLE_RUN, assert_in_order, events_of, start_run, trigger, whole_story, words};
use crate::support::{Setup, TestApp, eventually};

fn stream_of(run: i64) -> String {
    format!("/runs/{run}/events")
}

#[tokio::test]
async fn a_listener_gets_the_whole_story_of_a_run_with_its_steps_and_logs() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    let mut stream = Sse::open(&app.viewer(), &stream_of(run), None).await;
    let created = stream.next().await.unwrap();
    assert_eq!(
        (&created["event"], &created["data"]["run"]["id"]),
        (&json!("run.created"), &json!(run))
    );
    let mut events = vec![created];
    app.dbt.advance(Duration::from_secs(9));
    while words(&events).last().unwrap() != "status running" {
        events.push(stream.next().await.unwrap());
    }
    app.dbt.advance(WHOLE_RUN);
    events.extend(stream.rest().await);
    assert_in_order(&events);
    let told = words(&events);
    assert_eq!(
        (told[0].as_str(), told.last().unwrap().as_str()),
        ("created queued", "ended success")
    );
    for word in ["status running", "status success", "step", "log"] {
        assert!(told.iter().any(|each| each == word), "{word} in {told:?}");
    }
    assert_eq!(events.last().unwrap()["data"]["verdict"], "succeeded");
    // The logs of the events are those of the steps.
    let steps = app.viewer().get(&format!("/runs/{run}/steps")).await.expect(200);
    for step in steps["results"].as_array().unwrap() {
        let parts = events
            .iter()
            .filter(|event| event["data"]["log"]["step"] == step["index"]);
        let log: String = parts
            .map(|event| event["data"]["log"]["text"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(log, step["logs"].as_str().unwrap_or_default(), "step {}", step["index"]);
    }
    // The page has the same.
    let page: Vec<Value> = whole_story(&app, run).await;
    let without_time = |event: &Value| json!({"id": event["id"], "event": event["event"], "data": event["data"]});
    assert_eq!(page.iter().map(without_time).collect::<Vec<_>>(), events);
    // Nothing more comes.
    let last = events.last().unwrap()["id"].as_i64().unwrap();
    let request = app
        .viewer()
        .request(reqwest::Method::GET, &format!("{}?after={last}", stream_of(run)));
    let request = request.header("accept", "text/event-stream");
    assert_eq!(request.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off_on_another_replica() {
    let app = TestApp::start().await;
    let background = Background::of(&app.clients);
    let run = start_run(&app).await;
    let mut stream = Sse::open(&app.viewer(), &stream_of(run), None).await;
    let first = stream.next().await.unwrap();
    drop((stream, background));
    let setup = Setup {
        dbt_url: Some(app.dbt.base_url().parse().unwrap()),
        database_url: Some(app.database.url()),
        database_wait: crate::support::FOREVER,
        instance: model::InstanceId(2),
        ..Setup::default()
    };
    let other = Box::pin(setup.start()).await;
    // A process that died while it looked: its lease lapses.
    sqlx::query("UPDATE run_watch SET lease_until = clock_timestamp() + interval '200 milliseconds', lease_owner = 1, fence = fence + 1")
        .execute(app.database.pool())
        .await
        .unwrap();
    let _background = Background::of(&other.clients);
    let viewer = other.with_key(app.key(Role::Viewer));
    let mut stream = Sse::open(&viewer, &stream_of(run), first["id"].as_i64()).await;
    app.dbt.advance(WHOLE_RUN);
    let mut events = vec![first];
    events.extend(stream.rest().await);
    assert_in_order(&events);
    let page = whole_story(&app, run).await;
    assert_eq!(words(&events), words(&page));
    let ids = |events: &[Value]| events.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&events), ids(&page), "without a gap or a repeat");
}

#[tokio::test]
async fn the_stream_of_an_account_finds_runs_that_were_started_elsewhere() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let path = format!("/events?account_id={}", acme::ACCOUNT_ID);
    let mut all = Sse::open(&app.viewer(), &path, None).await;
    let mut others = Sse::open(&app.viewer(), &format!("{path}&job_id={}", acme::HOURLY_JOB_ID), None).await;
    // The newest run is known before.
    eventually(async || {
        let known: Option<i64> = sqlx::query_scalar("SELECT newest_run_id FROM run_stream")
            .fetch_one(app.database.pool())
            .await
            .unwrap();
        known
    })
    .await;
    let elsewhere = format!(
        "{}/api/v2/accounts/{}/jobs/{}/run/",
        app.dbt.base_url(),
        acme::ACCOUNT_ID,
        acme::SLOW_JOB_ID
    );
    let request = app.http.post(elsewhere).bearer_auth(acme::TOKEN);
    let started: Value = request
        .json(&json!({"cause": "elsewhere"}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    sqlx::query("UPDATE run_stream SET next_look_at = clock_timestamp()")
        .execute(app.database.pool())
        .await
        .unwrap();
    let created = all.next().await.unwrap();
    assert_eq!(
        (&created["event"], &created["data"]["run_id"]),
        (&json!("run.created"), &started["data"]["id"])
    );
    // The other stream has none of them, but its heartbeats.
    let mut hourly = std::pin::pin!(others.next());
    tokio::select! {
        event = hourly.as_mut() => panic!("an event of another job: {event:?}"),
        () = async { app.dbt.advance(WHOLE_RUN); while all.next().await.unwrap()["event"] != "run.ended" {} } => {}
    }
}

#[tokio::test]
async fn silent_streams_have_heartbeats_and_end_with_the_key_and_with_the_process() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let key = app.create_key(crate::support::COMPANY, Role::Viewer).await;
    let mut revoked = Sse::open(&app.with_key(&key), "/events", None).await;
    let mut stopped = Sse::open(&app.viewer(), "/events", None).await;
    app.update_key(&key, "revoked_at = now()").await;
    assert_eq!(revoked.next().await, None);
    assert!(revoked.heartbeats > 0, "it is looked for every two seconds");
    app.clients.end_lasting_requests();
    assert_eq!(stopped.next().await, None);
    assert_eq!(stopped.retry.as_deref(), Some("2000"));
    let open = eventually(async || {
        let open = app
            .rows()
            .await
            .into_iter()
            .filter(|row| row["outcome"].is_null())
            .count();
        (open == 0).then_some(open)
    });
    open.await;
    let row = app
        .rows()
        .await
        .into_iter()
        .rfind(|row| row["request_type"] == "list_events")
        .unwrap();
    assert_eq!((&row["outcome"], &row["attempts"]), (&json!("succeeded"), &json!(0)));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused_and_one_that_is_too_old_is_a_gap() {
    let app = TestApp::start().await;
    let _background = Background::of(&app.clients);
    let run = start_run(&app).await;
    app.dbt.advance(WHOLE_RUN);
    let story = whole_story(&app, run).await;
    for cursor in ["x", "-1", "1.5"] {
        let path = format!("{}?format=json", stream_of(run));
        let request = app
            .viewer()
            .request(reqwest::Method::GET, &path)
            .header("last-event-id", cursor);
        app.viewer().send(request).await.problem(400, "invalid-request");
    }
    let path = format!("{}?format=json&after=-1", stream_of(run));
    app.viewer().get(&path).await.problem(400, "invalid-request");
    let oldest = story[1]["id"].as_i64().unwrap();
    sqlx::query("DELETE FROM run_event WHERE seq < $1")
        .bind(oldest)
        .execute(app.database.pool())
        .await
        .unwrap();
    let page = app
        .viewer()
        .get(&format!("/events?format=json&after={}", 0))
        .await
        .expect(200);
    assert_eq!(page["gap"], oldest);
    let mut stream = Sse::open(&app.viewer(), "/events", Some(0)).await;
    let gap = stream.next().await.unwrap();
    assert_eq!((&gap["event"], &gap["id"]), (&json!("gap"), &Value::Null));
    assert_eq!(gap["data"]["resume_after"], oldest - 1);
    assert_eq!(stream.next().await.unwrap()["id"], oldest);
}

#[tokio::test]
async fn a_key_has_a_number_of_streams_and_sees_only_what_its_credentials_see() {
    let setup = Setup {
        max_streams_per_key: 2,
        ..Setup::default()
    };
    let app = setup.start().await;
    let _background = Background::of(&app.clients);
    let one = Sse::open(&app.viewer(), "/events", None).await;
    let two = Sse::open(&app.viewer(), "/events", None).await;
    let refused = app.viewer().get("/events").await;
    refused.problem(429, "too-many-streams");
    drop((one, two));
    eventually(async || (app.viewer().get("/events?format=json").await.status == 200).then_some(())).await;
    // Events that another credential has read.
    let run = start_run(&app).await;
    app.dbt.advance(WHOLE_RUN);
    let story = whole_story(&app, run).await;
    let page = async |key: &str| {
        let page = app.with_key(key).get("/events?format=json&after=0").await.expect(200);
        page["results"].as_array().unwrap().len()
    };
    let key = app.create_key(crate::support::COMPANY, Role::Viewer).await;
    assert_eq!(page(&key).await, story.len());
    app.update_key(&key, &format!("credentials = '{{account {}}}'", acme::ACCOUNT_ID))
        .await;
    let bound = app.create_key(crate::support::COMPANY, Role::Viewer).await;
    app.update_key(&bound, &format!("credentials = '{{\"account {}\"}}'", acme::ACCOUNT_ID))
        .await;
    assert_eq!(page(&bound).await, story.len());
    sqlx::query("UPDATE run_event SET credential = 'another'")
        .execute(app.database.pool())
        .await
        .unwrap();
    assert_eq!(page(&bound).await, 0);
}

#[tokio::test]
async fn a_hundred_runs_are_watched_with_one_list_and_one_row_a_look() {
    let app = TestApp::start().await;
    let mut runs = Vec::new();
    for _ in 0..30 {
        let body = json!({"cause": "one of many", "github_pull_request_id": 1});
        runs.push(
            app.operator().post(&trigger(), &body).await.expect(201)["id"]
                .as_i64()
                .unwrap(),
        );
    }
    app.dbt.clear_requests();
    assert_eq!(app.clients.watch_runs().await.unwrap(), 1);
    app.clients.background_looks_end().await;
    let requests = app.dbt.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM request_log WHERE request_type = 'watch_runs'")
        .fetch_one(app.database.pool())
        .await
        .unwrap();
    assert_eq!(rows, 1);
    for run in runs {
        let page = events_of(&app, run, 0).await;
        assert_eq!(words(page["results"].as_array().unwrap()), ["created queued"]);
    }
}
