//! The simulator of dbt Cloud in a process of its own: its faults, and its own count of what it started.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::http::wait_until_ready;
use crate::json_client::send;
use crate::process::ChildProcess;
use crate::scratch::free_address;

/// The account of the simulator's seed, its token, and jobs of it.
pub(crate) const ACCOUNT: &str = "70403103900001";
pub(crate) const TOKEN: &str = "dbtc_FAKE_acme_service_token";

/// A hang guard for what the simulator must have received.
const RECEIVED_WITHIN: Duration = Duration::from_secs(30);

/// The running simulator.
pub(crate) struct Double {
    pub(crate) process: ChildProcess,
    pub(crate) address: SocketAddr,
    control: SocketAddr,
    /// The last request that was seen.
    last: Cell<u64>,
}

impl Double {
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let (address, control) = (free_address()?, free_address()?);
        let mut command = Command::new(program);
        command.args([
            "simulator",
            "--listen",
            &address.to_string(),
            "--control",
            &control.to_string(),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = ChildProcess::start(&mut command)?;
        wait_until_ready(control, "/".to_owned()).await?;
        Ok(Self {
            process,
            address,
            control,
            last: Cell::new(0),
        })
    }

    /// Switches a fault on, and returns its id. `on` has the fields of the simulator's faults.
    pub(crate) async fn fault(&self, on: Value) -> anyhow::Result<u64> {
        let answer = send(self.control, "POST", "/faults", &[], Some(&on)).await?;
        answer.body["id"]
            .as_u64()
            .with_context(|| format!("no fault: {}", answer.body))
    }

    pub(crate) async fn remove(&self, fault: u64) -> anyhow::Result<()> {
        send(self.control, "DELETE", &format!("/faults/{fault}"), &[], None).await?;
        Ok(())
    }

    /// Requests since `after` whose address begins so; with their sequence numbers.
    pub(crate) async fn requests(&self, method: &str, prefix: &str, after: u64) -> anyhow::Result<Vec<Value>> {
        let path = format!("/requests?method={method}&path_prefix={prefix}&after={after}&limit=10000");
        let answer = send(self.control, "GET", &path, &[], None).await?;
        answer.body.as_array().cloned().context("no list of requests")
    }

    /// The sequence number of the last request.
    pub(crate) async fn now(&self) -> anyhow::Result<u64> {
        let path = format!("/requests?after={}&limit=10000", self.last.get());
        let answer = send(self.control, "GET", &path, &[], None).await?;
        let last = answer.body.as_array().and_then(|all| all.last()?["sequence"].as_u64());
        self.last.set(last.unwrap_or(self.last.get()));
        Ok(self.last.get())
    }

    /// Sets the limits of every account, and forgets what was counted.
    pub(crate) async fn limit(&self, admin_per_minute: u32) -> anyhow::Result<()> {
        let limits = json!({"admin_per_minute": admin_per_minute, "discovery_per_minute": 500, "cooldown_secs": 300});
        for (method, path, body) in [
            ("PUT", "/rate-limit", Some(&limits)),
            ("POST", "/rate-limit/reset", None),
        ] {
            let answer = send(self.control, method, path, &[], body).await?;
            anyhow::ensure!(answer.status.is_success(), "{method} {path}: {}", answer.status);
        }
        Ok(())
    }

    /// Since the limits were set: the most requests to the Administrative API in any 60 seconds, and those refused.
    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        let answer = send(self.control, "GET", "/rate-limit", &[], None).await?;
        let accounts = answer.body.as_array().context("no counts")?;
        let is_ours = |account: &&Value| account["account_id"].as_i64() == ACCOUNT.parse().ok();
        let ours = accounts.iter().find(is_ours).context("no count of the account")?;
        let count = |name| ours["administrative"][name].as_u64().context("no number");
        Ok(Counted {
            most_in_a_minute: count("most_in_a_minute")?,
            refused: count("refused")?,
        })
    }

    /// Starts a run, past the gateways.
    pub(crate) async fn start_run(&self, job: &str) -> anyhow::Result<i64> {
        let token = format!("Token {TOKEN}");
        let headers = [("authorization", token.as_str())];
        let cause = json!({"cause": "a run that goes on"});
        let answer = send(self.address, "POST", &trigger_path(job), &headers, Some(&cause)).await?;
        let id = answer.body["data"]["id"].as_i64();
        id.with_context(|| format!("no run: {}", answer.status))
    }

    /// Waits for a request since `after` whose target has that text.
    pub(crate) async fn received(&self, method: &str, text: &str, after: u64) -> anyhow::Result<()> {
        let until = Instant::now() + RECEIVED_WITHIN;
        loop {
            let all = self.requests(method, "/api/v2/", after).await?;
            let has_text = |request: &Value| request["target"].as_str().is_some_and(|target| target.contains(text));
            if all.iter().any(has_text) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "the simulator received no {method} with {text}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The runs of a job whose cause begins with `name`: the truth. The newest 300 runs of the job are read.
    pub(crate) async fn runs(&self, job: &str, name: &str) -> anyhow::Result<Vec<i64>> {
        let mut found = Vec::new();
        for offset in [0, 100, 200] {
            let path = format!(
                "/api/v2/accounts/{ACCOUNT}/runs/?job_definition_id={job}&order_by=-id&include_related=trigger&offset={offset}"
            );
            let token = format!("Token {TOKEN}");
            let answer = send(self.address, "GET", &path, &[("authorization", &token)], None).await?;
            let runs = answer.body["data"].as_array().cloned().unwrap_or_default();
            let is_it = |run: &&Value| {
                let cause = run["trigger"]["cause"].as_str().unwrap_or_default();
                cause
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ["))
            };
            found.extend(runs.iter().filter(is_it).filter_map(|run| run["id"].as_i64()));
            if runs.len() < 100 {
                break;
            }
        }
        Ok(found)
    }
}

/// What the simulator counted of the account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) most_in_a_minute: u64,
    /// Answered with 429.
    pub(crate) refused: u64,
}

/// The path of the triggers of a job.
pub(crate) fn trigger_path(job: &str) -> String {
    format!("/api/v2/accounts/{ACCOUNT}/jobs/{job}/run/")
}

/// A fault of the next trigger of a job.
pub(crate) fn next_trigger(job: &str, effect: &Value) -> Value {
    json!({"method": "POST", "path_prefix": trigger_path(job), "times": 1, "effect": effect})
}

/// A fault of every list of the runs of a job.
pub(crate) fn lists(job: &str, more: Value) -> Value {
    let mut fault = more;
    fault["method"] = json!("GET");
    fault["path_prefix"] = json!(format!("/api/v2/accounts/{ACCOUNT}/runs/"));
    fault["query_contains"] = json!(format!("job_definition_id={job}"));
    fault
}
