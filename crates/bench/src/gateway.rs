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
    commands: Commands,
    endpoint: Endpoint,
    pub(crate) process: ChildProcess,
    pub(crate) database: Database,
    postgres_pid: i32,
}

/// Runs the program with the gateway's settings.
#[derive(Debug)]
struct Commands {
    program: PathBuf,
    environment: Vec<(String, String)>,
}

impl Commands {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "PG_BIN_DIR"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    async fn create_key(&self, name: &str) -> anyhow::Result<String> {
        let args = ["keys", "create", "--name", name, "--company", "1", "--role", "operator"];
        Ok(output(self.command().args(args)).await?.trim().to_owned())
    }
}

impl Gateway {
    /// Starts the gateway with its defaults, but without the budget of the account, shared reads and circuits, with the environment of its upstream and `settings` (environment variables), and
    /// creates an API key.
    pub(crate) async fn start(
        program: &Path,
        folder: PathBuf,
        upstream: Vec<(&str, String)>,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir(&folder)?;
        let (address, data) = (free_address()?, folder.join("data"));
        let commands = Commands {
            program: program.to_owned(),
            environment: [
                ("DBT_GATEWAY_DATA_DIR", data.display().to_string()),
                ("DBT_GATEWAY_LISTEN", address.to_string()),
                ("DBT_TOKEN", "dbtc_FAKE_bench".to_owned()),
                ("DBT_ACCOUNT_ID", ACCOUNT.to_owned()),
                ("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0".to_owned()),
                ("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", "0".to_owned()),
                ("DBT_GATEWAY__BUDGET__DISCOVERY_PER_MINUTE", "0".to_owned()),
                ("DBT_GATEWAY__CACHE__ENABLED", "false".to_owned()),
                ("DBT_GATEWAY__BREAKER__MIN_EXCHANGES", "0".to_owned()),
            ]
            .into_iter()
            .chain(upstream)
            .chain(settings.iter().map(|(name, value)| (*name, (*value).to_owned())))
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        };
        let log = folder.join("log");
        let process = ChildProcess::start(commands.command().arg("serve").stderr(File::create(&log)?))?;
        wait_until_ready(address, "/readyz".to_owned())
            .await
            .with_context(|| format!("the gateway did not start:\n{}", last_lines(&log)))?;
        let key = commands.create_key("bench").await?;
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
            authorization: format!("Bearer {key}"),
        };
        Ok(Self {
            commands,
            endpoint,
            process,
            database,
            postgres_pid,
        })
    }

    /// Creates another key of company 1.
    pub(crate) async fn create_key(&self, name: &str) -> anyhow::Result<String> {
        self.commands.create_key(name).await
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
