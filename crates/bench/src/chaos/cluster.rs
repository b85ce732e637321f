//! Gateway processes at one Postgres and one simulator of dbt Cloud, which can be killed and started again.

use std::cell::RefCell;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::double::{ACCOUNT, Double, TOKEN};
use crate::http::wait_until_ready;
use crate::json_client::{Answer, send};
use crate::process::{ChildProcess, output};
use crate::programs;
use crate::scratch::{self, free_address};

/// What a cluster is made of.
pub(crate) struct Plan {
    /// The name of its database, which is created anew.
    pub(crate) database: &'static str,
    /// The number of gateways.
    pub(crate) gateways: usize,
    /// Environment variables of each gateway, besides those that every cluster has.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// What every gateway has.
const SETTINGS: [(&str, &str); 2] = [
    ("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0"),
    ("DBT_GATEWAY__LOG__FILTER", "warn"),
];

/// The gateways, their simulator and their database.
pub(crate) struct Cluster {
    plan: Plan,
    program: PathBuf,
    pub(crate) double: Double,
    database_url: String,
    pub(crate) addresses: Vec<SocketAddr>,
    processes: RefCell<Vec<Option<ChildProcess>>>,
    /// `Bearer …` of a key of an operator.
    pub(crate) authorization: String,
    folder: TempDir,
}

impl Cluster {
    /// Starts all. `postgres` is the URL of a server on which the database is created.
    pub(crate) async fn start(program: &Path, postgres: &str, plan: Plan) -> anyhow::Result<Self> {
        let program = program.canonicalize()?;
        let double = Double::start(&program).await?;
        let (database, gateways) = (plan.database, plan.gateways);
        psql(postgres, &format!("DROP DATABASE IF EXISTS {database}")).await?;
        psql(postgres, &format!("CREATE DATABASE {database}")).await?;
        let mut cluster = Self {
            program,
            double,
            database_url: with_database(postgres, database)?,
            addresses: (0..gateways).map(|_| free_address()).collect::<Result<_, _>>()?,
            processes: RefCell::new((0..gateways).map(|_| None).collect()),
            plan,
            authorization: String::new(),
            folder: scratch::directory()?,
        };
        for index in 0..gateways {
            cluster.start_gateway(index).await?;
        }
        let args = [
            "keys",
            "create",
            "--name",
            "chaos",
            "--company",
            "1",
            "--role",
            "operator",
        ];
        let key = output(cluster.command(0).args(args)).await?;
        cluster.authorization = format!("Bearer {}", key.trim());
        Ok(cluster)
    }

    fn command(&self, index: usize) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "PG_BIN_DIR"))
            .env("DATABASE_URL", &self.database_url)
            .env("DBT_GATEWAY_DATA_DIR", self.folder.path().join(index.to_string()))
            .env("DBT_GATEWAY_LISTEN", self.addresses[index].to_string())
            .env("DBT_BASE_URL", format!("http://{}/api", self.double.address))
            .env("DBT_TOKEN", TOKEN)
            .env("DBT_ACCOUNT_ID", ACCOUNT)
            .envs(SETTINGS)
            .envs(self.plan.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) async fn start_gateway(&self, index: usize) -> anyhow::Result<()> {
        let log = self.folder.path().join(format!("log{index}"));
        let log = File::options().create(true).append(true).open(log)?;
        let process = ChildProcess::start(self.command(index).arg("serve").stdout(Stdio::null()).stderr(log))?;
        self.processes.borrow_mut()[index] = Some(process);
        wait_until_ready(self.addresses[index], "/readyz".to_owned()).await
    }

    pub(crate) fn is_running(&self, index: usize) -> bool {
        self.processes.borrow()[index].is_some()
    }

    /// The process id of that gateway, if it runs.
    pub(crate) fn pid(&self, index: usize) -> anyhow::Result<i32> {
        let processes = self.processes.borrow();
        let process = processes[index].as_ref().context("the gateway is not running")?;
        Ok(process.pid)
    }

    /// `kill -9`.
    pub(crate) async fn kill(&self, index: usize) -> anyhow::Result<()> {
        let process = self.processes.borrow_mut()[index].take();
        let mut process = process.context("the gateway is not running")?;
        process.child.kill().await?;
        Ok(())
    }

    /// Sends a trigger to that gateway. Fails if the gateway is down or dies.
    pub(crate) async fn trigger(&self, index: usize, job: &str, name: &str, query: &str) -> anyhow::Result<Answer> {
        let path = format!("/jobs/{job}/runs?account_id={ACCOUNT}{query}");
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("idempotency-key", name),
        ];
        send(
            self.addresses[index],
            "POST",
            &path,
            &headers,
            Some(&json!({ "cause": name })),
        )
        .await
    }

    /// One value from the database of the gateways.
    pub(crate) async fn query(&self, query: &str) -> anyhow::Result<String> {
        psql(&self.database_url, query).await
    }

    /// The end of the gateways' own output.
    pub(crate) fn log(&self) -> String {
        let logs = (0..self.plan.gateways).map(|index| {
            let log = std::fs::read_to_string(self.folder.path().join(format!("log{index}"))).unwrap_or_default();
            log.lines().rev().take(5).collect::<Vec<_>>().join("\n")
        });
        logs.collect::<Vec<_>>().join("\n")
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for process in self.processes.into_inner().into_iter().flatten() {
            process.stop().await?;
        }
        self.double.process.stop().await
    }
}

/// The run of an answer to a trigger.
pub(crate) fn run_of(answer: &Answer) -> Option<i64> {
    (answer.status.as_u16() == 201)
        .then(|| answer.body["id"].as_i64())
        .flatten()
}

/// The text of a problem, for messages.
pub(crate) fn told(answer: &Answer) -> String {
    let Value::String(detail) = &answer.body["detail"] else {
        return answer.status.to_string();
    };
    format!("{}: {detail}", answer.status)
}

async fn psql(url: &str, query: &str) -> anyhow::Result<String> {
    let program = programs::find("psql").context("psql is not installed")?;
    let answer = output(Command::new(program).args([url, "-XqtAc", query])).await?;
    Ok(answer.trim().to_owned())
}

/// The URL with the database of this scenario.
fn with_database(url: &str, database: &str) -> anyhow::Result<String> {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').context("a URL of Postgres names a database")?;
    Ok(format!("{server}/{database}?{options}"))
}
