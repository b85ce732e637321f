//! A gateway process with its private Postgres.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

use crate::http::{Endpoint, wait_until_ready};
use crate::pgbench::Database;
use crate::process::{ChildProcess, CpuSource, output};
use crate::scratch::free_address;
use crate::upstream::ACCOUNT;

#[derive(Debug)]
pub(crate) struct Gateway {
    endpoint: Endpoint,
    pub(crate) process: ChildProcess,
    pub(crate) database: Database,
    postgres_pid: i32,
}

impl Gateway {
    /// Starts the gateway with its defaults, the environment of its upstream and `settings` (environment variables), and
    /// creates an API key.
    pub(crate) async fn start(
        program: &Path,
        folder: PathBuf,
        upstream: Vec<(&str, String)>,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder)?;
        let (address, data) = (free_address()?, folder.join("data"));
        let command = || {
            let mut command = Command::new(program);
            command
                .env_clear()
                .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "PG_BIN_DIR"))
                .env("DBT_GATEWAY_DATA_DIR", &data)
                .env("DBT_GATEWAY_LISTEN", address.to_string())
                .envs(upstream.iter().map(|(name, value)| (name, value)))
                .env("DBT_TOKEN", "dbtc_FAKE_bench")
                .env("DBT_ACCOUNT_ID", ACCOUNT)
                .env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0")
                .envs(settings.iter().copied())
                .stdin(Stdio::null());
            command
        };
        let log = folder.join("log");
        let process = ChildProcess::start(command().arg("serve").stderr(File::create(&log)?))?;
        wait_until_ready(address, "/readyz".to_owned())
            .await
            .with_context(|| format!("the gateway did not start:\n{}", last_lines(&log)))?;
        let create_key = [
            "keys",
            "create",
            "--name",
            "bench",
            "--company",
            "1",
            "--role",
            "operator",
        ];
        let key = output(command().args(create_key)).await?;
        let pid_file = std::fs::read_to_string(data.join("data/postmaster.pid"))?;
        let mut lines = pid_file.lines();
        let postgres_pid = lines
            .next()
            .and_then(|pid| pid.parse().ok())
            .context("no process id in postmaster.pid")?;
        let database = Database {
            socket_folder: lines.nth(3).context("no socket in postmaster.pid")?.into(),
            name: "dbt_gateway",
        };
        let endpoint = Endpoint {
            address,
            path: format!("/projects?account_id={ACCOUNT}"),
            authorization: format!("Bearer {}", key.trim()),
        };
        Ok(Self {
            endpoint,
            process,
            database,
            postgres_pid,
        })
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub(crate) fn cpu_sources(&self) -> [(&'static str, CpuSource); 2] {
        [
            ("gateway", CpuSource::Process(self.process.pid)),
            ("postgres", CpuSource::WithChildren(self.postgres_pid)),
        ]
    }

    /// Rows of the load's requests in the request log: successful ones, open ones.
    pub(crate) async fn rows(&self) -> anyhow::Result<(u64, u64)> {
        let query = "SELECT count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome IS NULL) \
                     FROM request_log WHERE request_type = 'list_projects'";
        let answer = self.database.query(query).await?;
        let (succeeded, open) = answer.split_once('|').context("unexpected output of psql")?;
        Ok((succeeded.parse()?, open.parse()?))
    }
}

fn last_lines(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
