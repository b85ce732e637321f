//! What the attempt costs: a trigger beside a change of the same surface without an attempt, at a gateway with its own
//! durable Postgres. Both open and close a row and make one exchange; the trigger also stores and ends its attempt.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::chaos::double::{ACCOUNT, Double, TOKEN, trigger_path};
use crate::gateway::Gateway;
use crate::json_client::send;
use crate::latencies::Latencies;
use crate::scratch;

/// Requests of a kind that open connections first.
const WARM_UP: u32 = 5;
/// Requests of a kind whose transactions are counted.
const COUNTED: u32 = 40;
const JOB: &str = "70403103940001";

/// One kind of request.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    pub(crate) latencies: Latencies,
    /// Transactions that write, for each request.
    pub(crate) commits: f64,
}

pub(crate) async fn measure(program: &Path, requests: u32) -> anyhow::Result<Vec<Cost>> {
    let program = program.canonicalize()?;
    let double = Double::start(&program).await?;
    let folder = scratch::directory()?;
    let upstream = vec![
        ("DBT_BASE_URL", format!("http://{}/api", double.address)),
        ("DBT_TOKEN", TOKEN.to_owned()),
        ("DBT_ACCOUNT_ID", ACCOUNT.to_owned()),
    ];
    let settings = [("DBT_GATEWAY__LOG__FILTER", "warn")];
    let gateway = Gateway::start(&program, folder.path().join("gateway"), upstream, &settings).await?;
    let finished = format!("/runs?account_id={ACCOUNT}&status=success&page_size=1");
    let run = ask(&gateway, "GET", &finished, None, None).await?["results"][0]["id"].clone();
    let cancel = format!("/api/v2/accounts/{ACCOUNT}/runs/{run}/cancel/");
    let (relayed, rest) = (trigger_path(JOB), format!("/jobs/{JOB}/runs?account_id={ACCOUNT}"));
    let body = json!({"cause": "cost of an attempt"});
    let kinds = [
        ("a relayed change without an attempt", cancel, false),
        ("a relayed trigger", relayed, false),
        ("a trigger of the REST surface", rest.clone(), false),
        ("the same with an Idempotency-Key", rest, true),
    ];
    // In turns, so that a change of the machine's load meets all kinds.
    let mut all = kinds.each_ref().map(|_| Latencies::new());
    let mut direct = Latencies::new();
    for index in 0..requests + WARM_UP {
        for ((name, path, has_key), latencies) in kinds.iter().zip(&mut all) {
            let key = has_key.then(|| format!("{name} {index}"));
            let sent = Instant::now();
            ask(&gateway, "POST", path, key.as_deref(), Some(&body)).await?;
            if index >= WARM_UP {
                latencies.record(sent.elapsed());
            }
        }
        let sent = Instant::now();
        let token = format!("Token {TOKEN}");
        let path = trigger_path(JOB);
        send(double.address, "POST", &path, &[("authorization", &token)], Some(&body)).await?;
        direct.record(sent.elapsed());
    }
    let idle = commits_per_second(&gateway).await?;
    let mut costs = vec![Cost {
        name: "a trigger at the simulator itself",
        latencies: direct,
        commits: 0.0,
    }];
    for ((name, path, has_key), latencies) in kinds.into_iter().zip(all) {
        let (before, began) = (commits(&gateway).await?, Instant::now());
        for index in 0..COUNTED {
            let key = has_key.then(|| format!("{name}, counted {index}"));
            ask(&gateway, "POST", &path, key.as_deref(), Some(&body)).await?;
        }
        let after = commits(&gateway).await?;
        let made = after - before - idle * began.elapsed().as_secs_f64();
        costs.push(Cost {
            name,
            latencies,
            commits: made / f64::from(COUNTED),
        });
    }
    gateway.process.stop().await?;
    double.process.stop().await?;
    Ok(costs)
}

async fn ask(
    gateway: &Gateway,
    method: &str,
    path: &str,
    key: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let endpoint = gateway.endpoint();
    let mut headers = vec![("authorization", endpoint.authorization.as_str())];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    let answer = send(endpoint.address, method, path, &headers, body).await?;
    anyhow::ensure!(
        answer.status.is_success(),
        "{method} {path}: {} {}",
        answer.status,
        answer.body
    );
    Ok(answer.body)
}

/// The number of the next transaction that writes: exact at once, unlike the statistics of Postgres.
async fn commits(gateway: &Gateway) -> anyhow::Result<f64> {
    let query = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    Ok(gateway.database.query(query).await?.parse()?)
}

/// Those of the background work.
async fn commits_per_second(gateway: &Gateway) -> anyhow::Result<f64> {
    let (before, began) = (commits(gateway).await?, Instant::now());
    sleep(Duration::from_secs(2)).await;
    let after = commits(gateway).await?;
    Ok((after - before) / began.elapsed().as_secs_f64())
}
