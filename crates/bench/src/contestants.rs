//! The contestants: the upstream itself, nginx before it, the gateway before it, and the gateway with other settings: two
//! commits a request, watched closely, not watched at all. All run all the time; whoever has no turn is idle.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Method, Request};
use serde::Serialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::load::{Target, connect};
use crate::pgbench::Socket;
use crate::process::{Counted, Started, output};
use crate::{programs, upstream};

pub(crate) const ACCOUNT: &str = "70403103900001";
/// Longer than a first start takes, with the making of its database.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contestant {
    /// Nothing between the load and the upstream.
    Direct,
    /// A pass-through without any log.
    Nginx,
    /// As it is set up by default.
    Gateway,
    /// Each row opened and closed with a commit of its own.
    TwoCommits,
    /// Its spans exported, its metrics read every second.
    Watched,
    /// Neither, and no log lines.
    Unwatched,
}

/// What they all stand before. Ends with our end of its standard input.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) process: Started,
}

impl Upstream {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("upstream").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Started::start(&mut command)?;
        let printed = process.child.stdout.take().context("no standard output")?;
        let line = BufReader::new(printed).lines().next_line().await?;
        let address = line.context("the upstream did not start")?.parse()?;
        Ok(Self { address, process })
    }

    /// How long each of its answers takes from now on.
    pub(crate) async fn set_delay(&self, delay: Duration) -> anyhow::Result<()> {
        let path = format!("{}{}", upstream::DELAY, delay.as_millis());
        let request = Request::builder()
            .method(Method::PUT)
            .uri(path)
            .body(Empty::<Bytes>::new())?;
        connect(self.address).await?.send_request(request).await?;
        Ok(())
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            address: self.address,
            path: format!("/api/v3/accounts/{ACCOUNT}/projects/?limit=100&offset=0"),
            authorization: "Token dbtc_FAKE_bench".to_owned(),
        }
    }
}

/// Passes everything through, keeps its connections to the upstream, logs nothing.
#[derive(Debug)]
pub(crate) struct Nginx {
    address: SocketAddr,
    pub(crate) process: Started,
    pub(crate) version: String,
}

impl Nginx {
    /// `None` where it is not installed.
    pub(crate) async fn start(folder: &Path, upstream: &Upstream) -> anyhow::Result<Option<Self>> {
        let Some(program) = programs::find("nginx") else {
            return Ok(None);
        };
        let address = free_address()?;
        let configuration = folder.join("nginx.conf");
        std::fs::write(&configuration, nginx_configuration(folder, address, upstream.address))?;
        // It tells its version on standard error.
        let version = Command::new(&program).arg("-v").output().await?;
        let version = String::from_utf8_lossy(&version.stderr)
            .trim()
            .replace("nginx version: ", "");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&configuration)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .stdin(Stdio::null());
        let process = Started::start(&mut command)?;
        let started = Self {
            address,
            process,
            version,
        };
        wait_until_it_answers(address, upstream.target().path)
            .await
            .context("nginx did not start")?;
        Ok(Some(started))
    }

    pub(crate) fn target(&self, upstream: &Upstream) -> Target {
        Target {
            address: self.address,
            ..upstream.target()
        }
    }
}

fn nginx_configuration(folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\npid {folder}/nginx.pid;\nworker_processes auto;\nevents {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n{temporary}  keepalive_requests 100000000;\n  \
         upstream dbt {{ server {upstream}; keepalive 512; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {listen} backlog=1024;\n    \
         location / {{ proxy_pass http://dbt; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n  }}\n}}\n"
    )
}

/// The gateway's binary with a private Postgres of its own.
#[derive(Debug)]
pub(crate) struct Gateway {
    target: Target,
    pub(crate) process: Started,
    pub(crate) socket: Socket,
    postgres: i32,
}

impl Gateway {
    /// Starts it with its defaults and `settings`, and makes a key.
    pub(crate) async fn start(
        program: &Path,
        folder: PathBuf,
        upstream: SocketAddr,
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
                .env("DBT_BASE_URL", format!("http://{upstream}/api"))
                .env("DBT_TOKEN", "dbtc_FAKE_bench")
                .env("DBT_ACCOUNT_ID", ACCOUNT)
                .env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0")
                .envs(settings.iter().copied())
                .stdin(Stdio::null());
            command
        };
        let log = File::create(folder.join("log"))?;
        let process = Started::start(command().arg("serve").stderr(log))?;
        wait_until_it_answers(address, "/readyz".to_owned())
            .await
            .with_context(|| last_words(&folder.join("log")))?;
        let keys = [
            "keys",
            "create",
            "--name",
            "bench",
            "--company",
            "1",
            "--role",
            "operator",
        ];
        let key = output(command().args(keys)).await?;
        let postmaster = std::fs::read_to_string(data.join("data/postmaster.pid"))?;
        let mut lines = postmaster.lines();
        let postgres = lines
            .next()
            .and_then(|pid| pid.parse().ok())
            .context("no postmaster.pid")?;
        let socket = Socket {
            folder: lines.nth(3).context("no socket in postmaster.pid")?.into(),
            database: "dbt_gateway",
        };
        let target = Target {
            address,
            path: format!("/projects?account_id={ACCOUNT}"),
            authorization: format!("Bearer {}", key.trim()),
        };
        Ok(Self {
            target,
            process,
            socket,
            postgres,
        })
    }

    pub(crate) fn target(&self) -> Target {
        self.target.clone()
    }

    /// Its own process, and all of its Postgres.
    pub(crate) fn counted(&self) -> [(&'static str, Counted); 2] {
        [
            ("gateway", Counted::Alone(self.process.pid)),
            ("postgres", Counted::WithChildren(self.postgres)),
        ]
    }

    /// Complete rows in its request log, and those that are open.
    pub(crate) async fn rows(&self) -> anyhow::Result<(u64, u64)> {
        let query = "SELECT count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome IS NULL) \
                     FROM request_log WHERE face = 'rest'";
        let answer = self.socket.ask(query).await?;
        let (whole, open) = answer.split_once('|').context("psql answered something else")?;
        Ok((whole.parse()?, open.parse()?))
    }
}

/// A folder for everything that is started, gone when it is dropped.
pub(crate) fn scratch() -> anyhow::Result<TempDir> {
    // Run as root, Postgres is another user, who has to get in.
    Ok(tempfile::Builder::new()
        .prefix("dbt-gateway-bench-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()?)
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

pub(crate) async fn wait_until_it_answers(address: SocketAddr, path: String) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answered = async {
            let request = Request::builder().uri(&path).header("host", "bench");
            let answer = connect(address)
                .await?
                .send_request(request.body(Empty::new())?)
                .await?;
            anyhow::ensure!(answer.status().is_success(), "answers {}", answer.status());
            Ok(())
        };
        match answered.await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn last_words(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n");
    format!("the gateway did not start:\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_passes_through_without_a_log() {
        let listen = "127.0.0.1:1".parse().unwrap();
        let text = nginx_configuration(Path::new("/x"), listen, "127.0.0.1:2".parse().unwrap());
        for part in [
            "access_log off;",
            "server 127.0.0.1:2;",
            "listen 127.0.0.1:1 ",
            "proxy_temp_path /x/proxy;",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
