//! What holds between two requests holds between hundreds: kill -9, callers that hang up, Postgres that goes away.
//!
//! Each test prints its counts: `cargo nextest run -p gateway under_load --no-capture`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, acme};
use tokio::task::JoinSet;

use crate::load::{Ask, Asked, Load, Rows, causes_at_dbt};
use crate::proxy::Proxy;
use crate::support::{Gateway, Site, eventually};

/// `serve` without a limit on what a key may ask.
fn unlimited(site: &Site) -> Command {
    let mut command = site.command(&["serve"]);
    command.env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0");
    command
}

/// `serve` beside another process that runs the private Postgres.
fn beside(site: &Site, database_url: &str) -> Command {
    let mut command = unlimited(site);
    command.env("DATABASE_URL", database_url);
    command
}

/// Answers of dbt Cloud to triggers of the nightly job take so long; everything else takes a moment.
fn hold_nightly_triggers(site: &Site, millis: u64) {
    let path = format!("/api/v2/accounts/{}/jobs/{}/", acme::ACCOUNT_ID, acme::NIGHTLY_JOB_ID);
    site.dbt.add_fault(Fault::on("POST", &path).delay_after_ms(millis));
    site.dbt.add_fault(Fault::everywhere().delay_before_ms(20));
}

/// Triggers of the nightly job that dbt Cloud has and does not answer.
async fn held(site: &Site, gateway: &Gateway, key: &str, name: &str, count: usize) -> JoinSet<Asked> {
    let mut asked = JoinSet::new();
    for number in 0..count {
        let (ask, cause) = (Ask::of(gateway, key), format!("{name} {number}"));
        asked.spawn(async move { ask.trigger(acme::NIGHTLY_JOB_ID, cause).await });
    }
    eventually("the triggers at dbt Cloud", async || {
        let there = causes_at_dbt(site);
        (there.iter().filter(|cause| cause.starts_with(name)).count() == count).then_some(())
    })
    .await;
    asked
}

/// Every answered request has its row, a success is one there too, and every trigger at dbt Cloud has a row.
fn assert_nothing_is_missing(site: &Site, asked: &[Asked], rows: &Rows) {
    for answer in asked.iter().flatten() {
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

fn succeeded(asked: &[Asked]) -> usize {
    let answers = asked.iter().flatten();
    answers.filter(|answer| matches!(answer.status, 200 | 201)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_no_answer_and_no_trigger_is_missing_from_the_log() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    hold_nightly_triggers(&site, 600_000);
    let mut asked = Vec::new();
    for life in 0..3 {
        let mut gateway = Gateway::start(unlimited(&site));
        let held = held(&site, &gateway, &key, &format!("held {life}"), 8).await;
        let load = Load::start(&gateway, &key, &format!("load {life}"), 48);
        load.more_answers(300).await;
        gateway.signal("KILL");
        gateway.wait();
        asked.extend(load.end().await);
        asked.extend(held.join_all().await);
    }
    let gateway = Gateway::start(unlimited(&site));
    let rows = Rows::all_closed(&site).await;

    assert_nothing_is_missing(&site, &asked, &rows);
    let unanswered = asked.iter().filter(|asked| asked.is_none()).count();
    let abandoned = rows.with_outcome(&json!("abandoned"));
    println!(
        "3 kills: {} asked, {} answered with success, {unanswered} unanswered; {} rows, {} succeeded, {abandoned} abandoned, 0 open; \
         {} triggers at dbt Cloud, {} rows of triggers",
        asked.len(),
        succeeded(&asked),
        rows.len(),
        rows.with_outcome(&json!("succeeded")),
        causes_at_dbt(&site).len(),
        rows.triggers().count(),
    );
    assert!(abandoned >= 3 * 8, "{abandoned}: at least those that were held");
    assert!(unanswered > 3 * 8, "the kill met requests under way");
    for row in rows.iter().filter(|row| row["outcome"] == "abandoned") {
        assert_eq!(row["request_type"], "trigger_job", "reads are written whole: {row:#}");
        assert!(row["cause"].is_string());
    }
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_open_rows_of_a_killed_process_are_closed_and_those_of_a_living_one_beside_it_are_not() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    hold_nightly_triggers(&site, 25_000);
    let watchful = |mut command: Command| {
        for (name, seconds) in [("HEARTBEAT", "1"), ("DEAD_AFTER", "3"), ("SWEEP", "1")] {
            command.env(format!("DBT_GATEWAY__INSTANCE__{name}_SECS"), seconds);
        }
        Gateway::start(command)
    };
    let living = watchful(unlimited(&site));
    let mut dying = watchful(beside(&site, &site.database_url()));
    let of_living = held(&site, &living, &key, "living", 8).await;
    let of_dying = held(&site, &dying, &key, "dying", 8).await;
    let loads = [
        Load::start(&living, &key, "load of living", 8),
        Load::start(&dying, &key, "load of dying", 24),
    ];
    loads[1].more_answers(200).await;
    dying.signal("KILL");
    dying.wait();

    let open_of = |name: &str| {
        let rows = Rows::of(&site);
        let open = rows.triggers().filter(|row| row["outcome"].is_null());
        open.filter(|row| row["cause"].as_str().unwrap().starts_with(name))
            .count()
    };
    eventually("the close of the dead one's rows", async || {
        (open_of("dying") == 0).then_some(())
    })
    .await;
    assert_eq!(open_of("living"), 8, "a living process's rows are its own");
    let [living_load, dying_load] = loads;
    living_load.more_answers(50).await;

    let mut asked = of_living.join_all().await;
    assert!(asked.iter().all(|asked| asked.as_ref().unwrap().status == 201));
    asked.extend(living_load.end().await);
    asked.extend(dying_load.end().await);
    asked.extend(of_dying.join_all().await);
    let rows = Rows::all_closed(&site).await;
    assert_nothing_is_missing(&site, &asked, &rows);
    let abandoned: Vec<_> = rows.iter().filter(|row| row["outcome"] == "abandoned").collect();
    let owners: std::collections::BTreeSet<_> = abandoned.iter().map(|row| row["instance_id"].as_i64()).collect();
    println!(
        "two processes, one killed: {} asked, {} answered with success; {} rows, {} abandoned, all of the dead one; \
         {} triggers at dbt Cloud, {} rows of triggers",
        asked.len(),
        succeeded(&asked),
        rows.len(),
        abandoned.len(),
        causes_at_dbt(&site).len(),
        rows.triggers().count(),
    );
    assert!(abandoned.len() >= 8 && owners.len() == 1, "{owners:?}");
    living.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_leave_no_row_open() {
    for open_reads in ["false", "true"] {
        let site = Site::for_load().await;
        let key = site.key("operator");
        let mut command = unlimited(&site);
        command.env("DBT_GATEWAY__REQUEST_LOG__OPEN_READS", open_reads);
        let gateway = Gateway::start(command);
        site.dbt.add_fault(Fault::everywhere().delay_before_ms(10_000));
        let mut callers = JoinSet::new();
        for number in 0..90 {
            let ask = Ask::of(&gateway, &key);
            callers.spawn(async move {
                match number % 3 {
                    0 => ask.trigger(acme::HOURLY_JOB_ID, format!("gone {number}")).await,
                    1 => ask.read("/projects?page_size=2").await,
                    _ => ask.read(&format!("/runs/{}", acme::SUCCEEDED_RUN_ID)).await,
                }
            });
        }
        eventually("the requests at dbt Cloud", async || {
            (site.dbt.requests().len() == 90).then_some(())
        })
        .await;
        callers.abort_all();
        while callers.join_next().await.is_some() {}

        let rows = eventually("a row for each", async || {
            let rows = Rows::of(&site);
            (rows.len() == 90 && rows.with_outcome(&Value::Null) == 0).then_some(rows)
        })
        .await;
        let (gone, done) = (
            rows.with_outcome(&json!("caller_gone")),
            rows.with_outcome(&json!("succeeded")),
        );
        println!(
            "90 callers hung up, open_reads = {open_reads}: {gone} reads caller_gone, {done} triggers succeeded, 0 open"
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
async fn postgres_away_for_ten_seconds_costs_no_row_and_the_counts_agree() {
    let site = Site::for_load().await;
    let key = site.key("operator");
    // It runs the Postgres, and nothing else.
    let keeper = site.serve();
    let proxy = Proxy::to(site.data_dir().join("run/.s.PGSQL.5432")).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/dbt_gateway", proxy.port());
    let gateway = Gateway::start(beside(&site, &url));
    hold_nightly_triggers(&site, 4_000);
    let load = Load::start(&gateway, &key, "load", 32);
    load.more_answers(200).await;
    let held = held(&site, &gateway, &key, "held", 8).await;

    proxy.cut(true);
    tokio::time::sleep(Duration::from_secs(10)).await;
    proxy.cut(false);
    load.more_answers(200).await;

    let mut asked = load.end().await;
    let held = held.join_all().await;
    for asked in &held {
        let status = asked.as_ref().map(|answer| answer.status);
        assert_eq!(status, Some(201), "a run that has begun is told, and its row waits");
    }
    asked.extend(held);
    let rows = Rows::all_closed(&site).await;
    assert_nothing_is_missing(&site, &asked, &rows);

    let answers: Vec<_> = asked.iter().map(|asked| asked.as_ref().expect("an answer")).collect();
    let slowest = answers.iter().map(|answer| answer.took).max().unwrap();
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    // The answer of a read that could not be logged in time is held back; its row is written all the same.
    let held_back = |answer: &&&crate::load::Answer| {
        answer.status == 503
            && rows
                .get(&answer.request_id)
                .is_some_and(|row| row["outcome"] == "succeeded")
    };
    let held_back = answers.iter().filter(held_back).count();
    let in_log = rows.with_outcome(&json!("succeeded"));
    let sent = rows.triggers().filter(|row| row["attempts"] == 1).count();
    println!(
        "Postgres away for 10 s: {} asked, {} answered with success, {refused} refused with 503, slowest {slowest:?}; {} rows, \
         {in_log} succeeded ({held_back} of reads whose answer was held back), 0 open; {} triggers at dbt Cloud, \
         {sent} rows of triggers that were sent",
        answers.len(),
        succeeded(&asked),
        rows.len(),
        causes_at_dbt(&site).len(),
    );
    assert!(refused > 0, "the outage was felt");
    assert_eq!(succeeded(&asked) + refused, answers.len(), "nothing else was answered");
    assert_eq!(in_log, succeeded(&asked) + held_back);
    assert_eq!(sent, causes_at_dbt(&site).len());
    assert!(
        rows.triggers()
            .all(|row| row["attempts"] == 1 || row["outcome"] == "refused")
    );
    for row in rows.iter() {
        let name = row["request_uuid"].as_str().unwrap();
        assert!(
            answers.iter().any(|answer| answer.request_id == name),
            "a row of nobody: {row:#}"
        );
    }
    gateway.stop();
    keeper.stop();
}
