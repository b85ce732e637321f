//! kill -9: every answered request is in the request log.

use simulator::{Fault, acme};

use crate::support::{Caller, Site, eventually, signal};

#[tokio::test]
async fn a_kill_between_requests_loses_no_row() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let mut answered = Vec::new();
    for _start in 0..3 {
        let mut gateway = site.serve();
        let projects = caller.get(&gateway, "/projects?page_size=2").await.unwrap();
        let run = caller.trigger(&gateway, acme::HOURLY_JOB_ID).await.unwrap();
        let read = caller
            .get(&gateway, &format!("/runs/{}", run.json()["id"]))
            .await
            .unwrap();
        assert_eq!([projects.status, run.status, read.status], [200, 201, 200]);
        answered.extend([projects.request_id, run.request_id, read.request_id]);
        gateway.signal("KILL");
        gateway.wait();
    }
    let gateway = site.serve();
    let rows = site.rows("SELECT request_uuid, outcome FROM request_log WHERE surface = 'rest' ORDER BY started_at");
    let logged: Vec<_> = rows.iter().map(|row| row["request_uuid"].as_str().unwrap()).collect();
    assert_eq!(
        logged, answered,
        "one row for each answer, with the UUID of its x-request-id"
    );
    assert!(rows.iter().all(|row| row["outcome"] == "succeeded"), "{rows:?}");
    gateway.stop();
}

#[tokio::test]
async fn a_trigger_interrupted_by_a_kill_is_logged_as_abandoned() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let mut gateway = site.serve();
    // Only the kill ends it.
    site.dbt
        .add_fault(Fault::on("POST", "/api/v2/").delay_after_ms(600_000));
    let (unanswered, ()) = tokio::join!(caller.trigger(&gateway, acme::NIGHTLY_JOB_ID), async {
        eventually("the trigger at dbt Cloud", async || {
            (!site.dbt.requests_to("POST", "/api/v2/").is_empty()).then_some(())
        })
        .await;
        gateway.signal("KILL");
    });
    assert!(unanswered.is_err());
    gateway.wait();

    let gateway = site.serve();
    let row = eventually("the closed row", async || {
        site.rows("SELECT outcome, job_id, finished_at FROM request_log WHERE request_type = 'trigger_job' AND outcome IS NOT NULL").pop()
    })
    .await;
    assert_eq!(
        (&row["outcome"], &row["job_id"]),
        (&"abandoned".into(), &acme::NIGHTLY_JOB_ID.into())
    );
    assert_eq!(
        site.dbt.requests_to("POST", "/api/v2/").len(),
        1,
        "the trigger was not sent again"
    );
    gateway.stop();
}

#[tokio::test]
async fn a_killed_postgres_restarts_with_every_row() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    let gateway = site.serve();
    let before = caller.get(&gateway, "/projects").await.unwrap();
    assert_eq!(before.status, 200);

    let postmaster = || {
        let file = std::fs::read_to_string(site.data_dir().join("data/postmaster.pid")).ok()?;
        file.lines().next()?.parse::<u32>().ok()
    };
    let killed = postmaster().unwrap();
    signal(killed, "KILL");
    // Remaining backends may still commit for a moment. The next Postgres starts only after they have ended.
    eventually("the restarted Postgres", async || {
        postmaster().filter(|running| *running != killed)
    })
    .await;
    let after = eventually("an answer after the crash", async || {
        caller
            .get(&gateway, "/projects")
            .await
            .ok()
            .filter(|answer| answer.status == 200)
    })
    .await;

    let rows = site.rows("SELECT request_uuid FROM request_log WHERE outcome = 'succeeded' AND surface = 'rest'");
    let logged: Vec<_> = rows.iter().map(|row| row["request_uuid"].as_str().unwrap()).collect();
    for answer in [before, after] {
        assert!(
            logged.contains(&answer.request_id.as_str()),
            "{logged:?} lacks {}",
            answer.request_id
        );
    }
    gateway.stop();
}
