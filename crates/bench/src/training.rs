//! `bench train`: the training workload of the PGO (profile-guided optimisation) build. Measures nothing.
//!
//! The mix of requests is that of typical callers, not that of the measured scenarios. The upstream is the simulator.

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

use crate::gateway::Gateway;
use crate::http::{Endpoint, connect, wait_until_ready};
use crate::process::ChildProcess;
use crate::scratch::free_address;
use crate::upstream::ACCOUNT;
use crate::{progress, scratch};

const CLIENTS: usize = 32;

/// Initial data of the simulator.
const TOKEN: &str = "dbtc_FAKE_acme_service_token";
const JOB: &str = "70403103940001";
const RUN: &str = "70403104000901";
const FAILED_RUN: &str = "70403104000902";

/// Sends the workload `times` times from each client. Stops the gateway by SIGTERM, so that it writes its profile.
pub(crate) async fn run(program: &Path, times: u32) -> anyhow::Result<()> {
    let program = program.canonicalize().context("gateway binary not found")?;
    let scratch = scratch::directory()?;
    progress::print("Starting the gateway and the simulator");
    let (dbt, control) = (free_address()?, free_address()?);
    let mut simulator = Command::new(&program);
    simulator
        .arg("simulator")
        .args(["--listen", &dbt.to_string(), "--control", &control.to_string()])
        // Runs finish quickly, and no rate limit is reached.
        .args(["--time-scale", "1000"])
        // The simulator is the same binary; its profile must not count.
        .env("LLVM_PROFILE_FILE", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let simulator = ChildProcess::start(&mut simulator)?;
    wait_until_ready(control, "/".to_owned())
        .await
        .context("the simulator did not start")?;
    let gateway = Gateway::start(
        &program,
        scratch.path().join("gateway"),
        vec![("DBT_BASE_URL", format!("http://{dbt}/api"))],
        &[("DBT_TOKEN", TOKEN)],
    )
    .await?;

    progress::print("Running the training workload");
    let endpoint = Arc::new(gateway.endpoint());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&endpoint), times));
    }
    while let Some(result) = clients.join_next().await {
        result??;
    }
    gateway.process.stop().await?;
    simulator.stop().await
}

struct TrainingRequest {
    method: Method,
    path: String,
    body: &'static str,
    expected_status: u16,
}

/// Lists and single resources through the gateway's API and dbt Cloud's API, triggers, artifacts, errors.
fn workload() -> Vec<TrainingRequest> {
    let get = |path: String, expected_status| TrainingRequest {
        method: Method::GET,
        path,
        body: "",
        expected_status,
    };
    let post = |path: String, body, expected_status| TrainingRequest {
        method: Method::POST,
        path,
        body,
        expected_status,
    };
    let rest = |path: &str| get(format!("{path}account_id={ACCOUNT}"), 200);
    let dbt = |path: &str| get(format!("/api/{}", path.replace("{account}", ACCOUNT)), 200);
    let cause = r#"{"cause": "PGO training"}"#;
    let query = r#"{"query": "query ($id: BigInt!) { environment(id: $id) { applied { models(first: 10) { edges { node { name } } pageInfo { hasNextPage endCursor } } } } }", "variables": {"id": 70403103930001}}"#;
    vec![
        rest("/projects?"),
        rest("/projects?page_size=2&"),
        rest("/environments?page_size=20&"),
        rest("/jobs?page_size=20&"),
        rest(&format!("/jobs/{JOB}?")),
        rest("/runs?page_size=20&"),
        rest("/runs?status=error&page_size=5&"),
        rest(&format!("/runs/{RUN}?")),
        // Callers poll a run that they have started.
        rest(&format!("/runs/{RUN}?")),
        rest(&format!("/runs/{RUN}/steps?")),
        rest(&format!("/runs/{FAILED_RUN}/failure?")),
        rest(&format!("/runs/{RUN}/artifacts/run_results.json?")),
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

async fn client(endpoint: Arc<Endpoint>, times: u32) -> anyhow::Result<()> {
    let mut connection = connect(endpoint.address).await?;
    let workload = workload();
    for _ in 0..times {
        for request in &workload {
            let status = send(&mut connection, &endpoint, request).await?;
            anyhow::ensure!(
                status == request.expected_status,
                "{} {}: status {status}",
                request.method,
                request.path
            );
        }
    }
    Ok(())
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    endpoint: &Endpoint,
    training: &TrainingRequest,
) -> anyhow::Result<u16> {
    let request = Request::builder()
        .method(&training.method)
        .uri(&training.path)
        .header(HOST, "bench")
        .header(AUTHORIZATION, &endpoint.authorization)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(training.body))?;
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    connection.ready().await?;
    Ok(status)
}
