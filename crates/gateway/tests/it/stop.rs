//! A stop ends before its deadline, whatever is slow: dbt Cloud, a body that drips, Postgres.

use std::process::Command;

use serde_json::{Value, json};
use simulator::{Fault, acme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::postgres_proxy::PostgresProxy;
use crate::support::{Answer, Caller, Gateway, Site, eventually};

/// Ten times the time after which the tests give up: what takes this long did not end by itself.
const FOREVER_MS: u64 = 600_000;

/// `serve` on the private Postgres of another process, so that the rows can be read after its end.
fn serve(site: &Site, shutdown_secs: &str) -> Command {
    let mut command = site.command(&["serve"]);
    command
        .env("DATABASE_URL", site.database_url())
        .env("DBT_GATEWAY__SERVER__SHUTDOWN_SECS", shutdown_secs);
    command
}

async fn trigger_at_dbt(site: &Site) {
    eventually("the trigger at dbt Cloud", async || {
        (!site.dbt.requests_to("POST", "/api/v2/").is_empty()).then_some(())
    })
    .await;
}

/// The only row of a change.
fn row(site: &Site) -> Value {
    let rows = site.rows(
        "SELECT outcome, attempts, job_id, error, finished_at FROM request_log
         WHERE request_type = 'trigger_job'",
    );
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows[0].clone()
}

fn assert_abandoned(row: &Value) {
    assert_eq!(
        (&row["outcome"], &row["attempts"]),
        (&json!("abandoned"), &json!(1)),
        "{row:#}"
    );
    assert!(
        row["error"].as_str().unwrap().contains("the gateway stopped"),
        "{row:#}"
    );
    assert!(row["finished_at"].is_string());
}

fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("What the change did is unknown"), "{answer:?}");
}

#[tokio::test]
async fn at_the_deadline_a_trigger_is_ended_through_its_row_and_its_caller_is_told() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let keeper = site.serve();
    let mut gateway = Gateway::start(serve(&site, "2"));
    site.dbt
        .add_fault(Fault::on("POST", "/api/v2/").delay_before_ms(FOREVER_MS));
    let (answer, ()) = tokio::join!(caller.trigger(&gateway, acme::NIGHTLY_JOB_ID), async {
        trigger_at_dbt(&site).await;
        gateway.signal("TERM");
    });
    let status = gateway.wait();
    assert!(status.success(), "{status}\n{}", gateway.log());
    assert_unknown(&answer.unwrap());
    let row = row(&site);
    assert_abandoned(&row);
    assert_eq!(row["job_id"], acme::NIGHTLY_JOB_ID);
    let last = gateway.log().lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["changes_and_streams"], &last["rows"]), (&json!(1), &json!(0)));
    keeper.stop();
}

#[tokio::test]
async fn a_second_signal_ends_a_trigger_at_once() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("operator"));
    let keeper = site.serve();
    let mut gateway = Gateway::start(serve(&site, "600"));
    site.dbt
        .add_fault(Fault::on("POST", "/api/v2/").delay_before_ms(FOREVER_MS));
    let trigger = async {
        let answer = caller.trigger(&gateway, acme::NIGHTLY_JOB_ID).await;
        answer.unwrap()
    };
    let signals = async {
        trigger_at_dbt(&site).await;
        for _ in 0..2 {
            gateway.signal("TERM");
            eventually("the stop", async || gateway.log().contains("stopping").then_some(())).await;
        }
    };
    let (answer, ()) = tokio::join!(trigger, signals);
    assert!(gateway.wait().success());
    assert_unknown(&answer);
    assert_abandoned(&row(&site));
    keeper.stop();
}

#[tokio::test]
async fn a_relayed_change_whose_answer_drips_is_ended() {
    let site = Site::new().await;
    let key = site.key("admin");
    let keeper = site.serve();
    // dbt Cloud sends the head of its answer, then a byte now and then.
    let dbt = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut command = serve(&site, "2");
    command.env("DBT_BASE_URL", format!("http://{}/api", dbt.local_addr().unwrap()));
    let mut gateway = Gateway::start(command);
    let path = format!(
        "/api/v2/accounts/{}/jobs/{}/run/",
        acme::ACCOUNT_ID,
        acme::NIGHTLY_JOB_ID
    );
    let caller = Caller::new(&key);
    let order = json!({"cause": "a test"});
    let (answer, ()) = tokio::join!(caller.post(&gateway, &path, &order), async {
        let (mut exchange, _) = dbt.accept().await.unwrap();
        let mut head = [0; 1024];
        assert!(exchange.read(&mut head).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        exchange.write_all(head).await.unwrap();
        gateway.signal("TERM");
        while exchange.write_all(b"1\r\n \r\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let status = gateway.wait();
    assert!(status.success(), "{status}\n{}", gateway.log());
    assert_unknown(&answer.unwrap());
    let rows = site.rows("SELECT outcome, attempts, error, finished_at FROM request_log WHERE surface = 'dbt'");
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_abandoned(&rows[0]);
    keeper.stop();
}

/// A gateway whose Postgres has become silent while a request waits for its row.
async fn with_silent_postgres(site: &Site, key: &str, shutdown_secs: &str) -> Gateway {
    let proxy = PostgresProxy::start(site.data_dir().join("run/.s.PGSQL.5432")).await;
    let mut command = serve(site, shutdown_secs);
    command
        .env(
            "DATABASE_URL",
            format!("postgres://postgres@127.0.0.1:{}/dbt_gateway", proxy.port()),
        )
        .env("DBT_GATEWAY__REQUEST_LOG__WRITE_WAIT_MS", "60000")
        .env("DBT_GATEWAY__REQUEST_LOG__COMMIT_TIMEOUT_MS", "60000");
    let gateway = Gateway::start(command);
    let caller = Caller::new(key);
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 200);
    let before = site.dbt.requests().len();
    proxy.silence();
    let (path, url) = ("/projects", gateway.url(""));
    let key = key.to_owned();
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        // It is cut off with the process.
        drop(client.get(format!("{url}{path}")).bearer_auth(key).send().await);
    });
    eventually("the read at dbt Cloud", async || {
        (site.dbt.requests().len() > before).then_some(())
    })
    .await;
    gateway
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_postgres_does_not_keep_a_stop_from_its_end_and_the_status_says_that_rows_were_lost() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let keeper = site.serve();
    let mut gateway = with_silent_postgres(&site, &key, "2").await;
    gateway.signal("TERM");
    let status = gateway.wait();
    assert_eq!(status.code(), Some(1), "{}", gateway.log());
    assert!(gateway.log().contains("that were not written: 1"), "{}", gateway.log());
    keeper.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_signal_ends_the_process_without_waiting_for_rows() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let keeper = site.serve();
    let mut gateway = with_silent_postgres(&site, &key, "600").await;
    gateway.signal("TERM");
    gateway.wait_for_line("stopping");
    gateway.signal("TERM");
    gateway.wait_for_line("ending the requests in flight");
    gateway.signal("INT");
    assert_eq!(gateway.wait().code(), Some(1));
    assert!(gateway.log().contains("the third signal"), "{}", gateway.log());
    assert!(!gateway.log().contains("stopped;"), "{}", gateway.log());
    keeper.stop();
}
