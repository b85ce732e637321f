//! Under load: kill -9, callers that disconnect, an outage of Postgres.
//!
//! Each test prints its counts: `cargo nextest run -p gateway under_load --no-capture`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, acme};
use tokio::task::JoinSet;

use crate::load::{Load, LoadCaller, Reply, Rows, causes_at_dbt};
use crate::postgres_proxy::PostgresProxy;
use crate::support::{Gateway, Site, eventually};

/// `serve` without a rate limit.
fn unlimited(site: &Site) -> Command {
    let mut command = site.command(&["serve"]);
    command.env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0");
    command
}

/// `serve` on the private Postgres of another process.
fn serve_on(site: &Site, database_url: &str) -> Command {
    let mut command = unlimited(site);
    command.env("DATABASE_URL", database_url);
    command
}

/// Delays dbt Cloud's answers to triggers of the nightly job by `millis`, all others by 20 ms.
fn delay_nightly_triggers(site: &Site, millis: u64) {
    let path = format!("/api/v2/accounts/{}/jobs/{}/", acme::ACCOUNT_ID, acme::NIGHTLY_JOB_ID);
    site.dbt.add_fault(Fault::on("POST", &path).delay_after_ms(millis));
    site.dbt.add_fault(Fault::everywhere().delay_before_ms(20));
}

/// Sends triggers of the nightly job and waits until dbt Cloud has received them.
async fn start_delayed_triggers(site: &Site, gateway: &Gateway, key: &str, name: &str, count: usize) -> JoinSet<Reply> {
    let mut replies = JoinSet::new();
    for number in 0..count {
        let (caller, cause) = (LoadCaller::of(gateway, key), format!("{name} {number}"));
        replies.spawn(async move { caller.trigger(acme::NIGHTLY_JOB_ID, cause).await });
    }
    eventually("the triggers at dbt Cloud", async || {
        let causes = causes_at_dbt(site);
        (causes.iter().filter(|cause| cause.starts_with(name)).count() == count).then_some(())
    })
    .await;
    replies
}

/// Every successful answer has a row that succeeded, and every trigger at dbt Cloud has one row.
fn assert_log_is_complete(site: &Site, replies: &[Reply], rows: &Rows) {
    for answer in replies.iter().flatten() {
        let row = rows.get(&answer.request_id);
        if matches!(answer.status, 200 | 201) {
            let row = row.unwrap_or_else(|| panic!("no row of {answer:?}"));
            assert_eq!(row["outcome"], "succeeded", "{answer:?}: {row:#}");
        }
    }
    let logged: Vec<_> = rows.triggers().filter_map(|row| row["cause"].as_str()).collect();
    for cause in causes_at_dbt(site) {
        let of_cause = logged.iter().filter(|logged| **logged == cause).count();
        assert_eq!(of_cause, 1, "rows of the trigger `{cause}`");
    }
}

fn succeeded(replies: &[Reply]) -> usize {
    let answers = replies.iter().flatten();
    answers.filter(|answer| matches!(answer.status, 200 | 201)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_loses_no_answer_and_no_trigger_from_the_log() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    delay_nightly_triggers(&site, 600_000);
    let mut replies = Vec::new();
    for start in 0..3 {
        let mut gateway = Gateway::start(unlimited(&site));
        let held = start_delayed_triggers(&site, &gateway, &key, &format!("held {start}"), 8).await;
        let load = Load::start(&gateway, &key, &format!("load {start}"), 48);
        load.more_answers(300).await;
        gateway.signal("KILL");
        gateway.wait();
        replies.extend(load.end().await);
        replies.extend(held.join_all().await);
    }
    let gateway = Gateway::start(unlimited(&site));
    let rows = Rows::all_closed(&site).await;
    // Their runs were started, and their answers died with three processes.
    eventually("the runs of the delayed triggers", async || {
        let found = site.rows(
            "SELECT count(DISTINCT a.run_id) FROM trigger_attempt a JOIN request_log r USING (request_uuid)
             WHERE r.args -> 'order' ->> 'cause' LIKE 'held%'",
        );
        (found[0]["count"] == 3 * 8).then_some(())
    })
    .await;

    assert_log_is_complete(&site, &replies, &rows);
    let unanswered = replies.iter().filter(|reply| reply.is_none()).count();
    let abandoned = rows.with_outcome(&json!("abandoned"));
    println!(
        "3 kills: {} requests, {} answered with success, {unanswered} unanswered; {} rows, {} succeeded, {abandoned} abandoned, 0 open; \
         {} triggers at dbt Cloud, {} rows of triggers",
        replies.len(),
        succeeded(&replies),
        rows.len(),
        rows.with_outcome(&json!("succeeded")),
        causes_at_dbt(&site).len(),
        rows.triggers().count(),
    );
    assert!(abandoned >= 3 * 8, "{abandoned}: at least the delayed triggers");
    assert!(unanswered > 3 * 8, "the kill interrupted requests in flight");
    for row in rows.iter().filter(|row| row["outcome"] == "abandoned") {
        assert_eq!(
            row["request_type"], "trigger_job",
            "rows of reads are written once: {row:#}"
        );
        assert!(row["cause"].is_string());
    }
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_open_rows_of_a_killed_process_are_closed_but_not_those_of_a_running_one() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    delay_nightly_triggers(&site, 25_000);
    let start_with_fast_heartbeat = |mut command: Command| {
        for (name, seconds) in [("HEARTBEAT", "1"), ("DEAD_AFTER", "3"), ("SWEEP", "1")] {
            command.env(format!("DBT_GATEWAY__INSTANCE__{name}_SECS"), seconds);
        }
        Gateway::start(command)
    };
    let running = start_with_fast_heartbeat(unlimited(&site));
    let mut killed = start_with_fast_heartbeat(serve_on(&site, &site.database_url()));
    let of_running = start_delayed_triggers(&site, &running, &key, "running", 8).await;
    let of_killed = start_delayed_triggers(&site, &killed, &key, "killed", 8).await;
    let loads = [
        Load::start(&running, &key, "load of running", 8),
        Load::start(&killed, &key, "load of killed", 24),
    ];
    loads[1].more_answers(200).await;
    killed.signal("KILL");
    killed.wait();

    let open_of = |name: &str| {
        let rows = Rows::of(&site);
        let open = rows.triggers().filter(|row| row["outcome"].is_null());
        open.filter(|row| row["cause"].as_str().unwrap().starts_with(name))
            .count()
    };
    eventually("the closed rows of the killed process", async || {
        (open_of("killed") == 0).then_some(())
    })
    .await;
    assert_eq!(open_of("running"), 8, "the rows of the running process stay open");
    let [running_load, killed_load] = loads;
    running_load.more_answers(50).await;

    let mut replies = of_running.join_all().await;
    assert!(replies.iter().all(|reply| reply.as_ref().unwrap().status == 201));
    replies.extend(running_load.end().await);
    replies.extend(killed_load.end().await);
    replies.extend(of_killed.join_all().await);
    let rows = Rows::all_closed(&site).await;
    assert_log_is_complete(&site, &replies, &rows);
    let abandoned: Vec<_> = rows.iter().filter(|row| row["outcome"] == "abandoned").collect();
    let owners: std::collections::BTreeSet<_> = abandoned.iter().map(|row| row["instance_id"].as_i64()).collect();
    println!(
        "two processes, one killed: {} requests, {} answered with success; {} rows, {} abandoned, all of the killed one; \
         {} triggers at dbt Cloud, {} rows of triggers",
        replies.len(),
        succeeded(&replies),
        rows.len(),
        abandoned.len(),
        causes_at_dbt(&site).len(),
        rows.triggers().count(),
    );
    assert!(abandoned.len() >= 8 && owners.len() == 1, "{owners:?}");
    running.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_disconnect_leave_no_row_open() {
    for open_reads in ["false", "true"] {
        let site = Site::for_load().await;
        let key = site.key("operator");
        let mut command = unlimited(&site);
        command.env("DBT_GATEWAY__REQUEST_LOG__OPEN_READS", open_reads);
        let gateway = Gateway::start(command);
        site.dbt.add_fault(Fault::everywhere().delay_before_ms(10_000));
        // Shared, since setting up 90 HTTP clients can take longer than the delay.
        let caller = LoadCaller::of(&gateway, &key);
        let mut callers = JoinSet::new();
        for number in 0..90 {
            let caller = caller.clone();
            callers.spawn(async move {
                match number % 3 {
                    0 => caller.trigger(acme::HOURLY_JOB_ID, format!("gone {number}")).await,
                    1 => caller.read("/projects?page_size=2").await,
                    _ => caller.read(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await,
                }
            });
        }
        eventually("the requests at dbt Cloud", async || {
            (site.dbt.requests().len() == 90).then_some(())
        })
        .await;
        callers.abort_all();
        while callers.join_next().await.is_some() {}

        let rows = eventually("a closed row per request", async || {
            let rows = Rows::of(&site);
            (rows.len() == 90 && rows.with_outcome(&Value::Null) == 0).then_some(rows)
        })
        .await;
        let (gone, done) = (
            rows.with_outcome(&json!("caller_gone")),
            rows.with_outcome(&json!("succeeded")),
        );
        println!(
            "90 callers disconnected, open_reads = {open_reads}: {gone} reads caller_gone, {done} triggers succeeded, 0 open"
        );
        assert_eq!((gone, done), (60, 30));
        assert!(
            rows.triggers()
                .all(|row| row["outcome"] == "succeeded" && row["run_id"].is_number())
        );
        assert_eq!(causes_at_dbt(&site).len(), 30);
        gateway.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_outage_of_ten_seconds_loses_no_row_and_the_counts_agree() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    // It only runs the Postgres.
    let keeper = site.serve();
    let proxy = PostgresProxy::start(site.data_dir().join("run/.s.PGSQL.5432")).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/dbt_gateway", proxy.port());
    let gateway = Gateway::start(serve_on(&site, &url));
    delay_nightly_triggers(&site, 4_000);
    let load = Load::start(&gateway, &key, "load", 32);
    load.more_answers(200).await;
    let held = start_delayed_triggers(&site, &gateway, &key, "held", 8).await;

    proxy.cut(true);
    tokio::time::sleep(Duration::from_secs(10)).await;
    proxy.cut(false);
    load.more_answers(200).await;

    let mut replies = load.end().await;
    let held = held.join_all().await;
    for reply in &held {
        let status = reply.as_ref().map(|answer| answer.status);
        assert_eq!(status, Some(201), "a started run is reported while its row is queued");
    }
    replies.extend(held);
    let rows = Rows::all_closed(&site).await;
    assert_log_is_complete(&site, &replies, &rows);

    let answers: Vec<_> = replies.iter().map(|reply| reply.as_ref().expect("an answer")).collect();
    let slowest = answers.iter().map(|answer| answer.took).max().unwrap();
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    // A read whose row is not committed in time is answered 503; its row is written later.
    let late = |answer: &&&crate::load::Answer| {
        answer.status == 503
            && rows
                .get(&answer.request_id)
                .is_some_and(|row| row["outcome"] == "succeeded")
    };
    let late = answers.iter().filter(late).count();
    let in_log = rows.with_outcome(&json!("succeeded"));
    let sent = rows.triggers().filter(|row| row["attempts"] == 1).count();
    println!(
        "Postgres outage of 10 s: {} requests, {} answered with success, {refused} refused with 503, slowest {slowest:?}; {} rows, \
         {in_log} succeeded ({late} of reads that were answered 503), 0 open; {} triggers at dbt Cloud, \
         {sent} rows of triggers that were sent",
        answers.len(),
        succeeded(&replies),
        rows.len(),
        causes_at_dbt(&site).len(),
    );
    assert!(refused > 0, "the outage had an effect");
    assert_eq!(
        succeeded(&replies) + refused,
        answers.len(),
        "every answer is a success or a 503"
    );
    assert_eq!(in_log, succeeded(&replies) + late);
    assert_eq!(sent, causes_at_dbt(&site).len());
    assert!(
        rows.triggers()
            .all(|row| row["attempts"] == 1 || row["outcome"] == "refused")
    );
    for row in rows.iter() {
        let name = row["request_uuid"].as_str().unwrap();
        assert!(
            answers.iter().any(|answer| answer.request_id == name),
            "a row without an answer: {row:#}"
        );
    }
    gateway.stop();
    keeper.stop();
}
