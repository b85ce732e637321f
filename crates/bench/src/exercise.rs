//! `bench exercise`: a gateway does a fixed number of times what it does all day, before the simulator. Nothing is measured.
//!
//! A build whose code counts how often it runs learns from this what to lay out for speed and what to keep small, so the
//! mix is that of real callers, not that of the scenes which are measured.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::contestants::{ACCOUNT, Gateway, free_address, scratch, wait_until_it_answers};
use crate::load::{Target, connect};
use crate::process::Started;
use crate::say;

const CALLERS: usize = 32;

/// What the simulator is started with.
const TOKEN: &str = "dbtc_FAKE_acme_service_token";
const JOB: &str = "70403103940001";
const RUN: &str = "70403104000901";
const FAILED_RUN: &str = "70403104000902";

/// Starts everything, has everything asked for, stops everything; the gateway by SIGTERM, so that it writes what it
/// counted.
pub(crate) async fn run(program: &Path, times: u32) -> anyhow::Result<()> {
    let program = program.canonicalize().context("there is no such gateway")?;
    let scratch = scratch()?;
    say("Starting the gateway and the simulator");
    let (dbt, control) = (free_address()?, free_address()?);
    let mut simulator = Command::new(&program);
    simulator
        .arg("simulator")
        .args(["--listen", &dbt.to_string(), "--control", &control.to_string()])
        // No run is slow, and no limit is reached.
        .args(["--time-scale", "1000"])
        // It is the same program; what it runs is not to be learned from.
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let simulator = Started::start(&mut simulator)?;
    wait_until_it_answers(control, "/".to_owned())
        .await
        .context("the simulator did not start")?;
    let gateway = Gateway::start(&program, scratch.path().join("gateway"), dbt, &[("DBT_TOKEN", TOKEN)]).await?;

    say("Asking");
    let target = Arc::new(gateway.target());
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(caller(Arc::clone(&target), times));
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    gateway.process.stop().await?;
    simulator.stop().await
}

/// One thing to ask for, and the status to come.
struct Ask {
    method: Method,
    path: String,
    body: &'static str,
    status: u16,
}

/// Lists and single things, by our API and by dbt Cloud's own, a trigger, an artifact, and what is not there.
fn asks() -> Vec<Ask> {
    let get = |path: String, status| Ask {
        method: Method::GET,
        path,
        body: "",
        status,
    };
    let post = |path: String, body, status| Ask {
        method: Method::POST,
        path,
        body,
        status,
    };
    let ours = |path: &str| get(format!("{path}account_id={ACCOUNT}"), 200);
    let dbt = |path: &str| get(format!("/api/{}", path.replace("{account}", ACCOUNT)), 200);
    let cause = r#"{"cause": "Exercise"}"#;
    let query = r#"{"query": "query ($id: BigInt!) { environment(id: $id) { applied { models(first: 10) { edges { node { name } } pageInfo { hasNextPage endCursor } } } } }", "variables": {"id": 70403103930001}}"#;
    vec![
        ours("/projects?"),
        ours("/projects?page_size=2&"),
        ours("/environments?page_size=20&"),
        ours("/jobs?page_size=20&"),
        ours(&format!("/jobs/{JOB}?")),
        ours("/runs?page_size=20&"),
        ours("/runs?status=error&page_size=5&"),
        ours(&format!("/runs/{RUN}?")),
        // Whoever has started a run asks again and again.
        ours(&format!("/runs/{RUN}?")),
        ours(&format!("/runs/{RUN}/steps?")),
        ours(&format!("/runs/{FAILED_RUN}/failure?")),
        ours(&format!("/runs/{RUN}/artifacts/run_results.json?")),
        post(format!("/jobs/{JOB}/runs?account_id={ACCOUNT}"), cause, 201),
        post(format!("/metadata/query?account_id={ACCOUNT}"), query, 200),
        dbt("v3/accounts/{account}/projects/?limit=10"),
        dbt("v2/accounts/{account}/runs/?limit=10&order_by=-id"),
        dbt(&format!("v2/accounts/{{account}}/runs/{RUN}/")),
        dbt(&format!("v2/accounts/{{account}}/runs/{RUN}/artifacts/manifest.json")),
        post(format!("/api/v2/accounts/{ACCOUNT}/jobs/{JOB}/run/"), cause, 200),
        get(format!("/runs/1?account_id={ACCOUNT}"), 404),
        get("/projects?page=0".to_owned(), 400),
        get("/request-logs?page_size=20".to_owned(), 200),
    ]
}

async fn caller(target: Arc<Target>, times: u32) -> anyhow::Result<()> {
    let mut connection = connect(target.address).await?;
    let asks = asks();
    for _ in 0..times {
        for ask in &asks {
            let status = answer(&mut connection, &target, ask).await?;
            anyhow::ensure!(status == ask.status, "{} {}: {status}", ask.method, ask.path);
        }
    }
    Ok(())
}

async fn answer(connection: &mut SendRequest<Full<Bytes>>, target: &Target, ask: &Ask) -> anyhow::Result<u16> {
    let request = Request::builder()
        .method(&ask.method)
        .uri(&ask.path)
        .header(HOST, "exercise")
        .header(AUTHORIZATION, &target.authorization)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(ask.body))?;
    let answer = connection.send_request(request).await?;
    let status = answer.status().as_u16();
    answer.into_body().collect().await?;
    connection.ready().await?;
    Ok(status)
}
