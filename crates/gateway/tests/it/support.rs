//! Runs the built binary in its own process, on a private Postgres, against a simulator of dbt Cloud.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Config, RateLimit, Running, Simulator, acme};
use tempfile::TempDir;

/// Only a hang takes this long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The binary with a clean environment.
pub(crate) fn program(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbt-gateway"));
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("DBT_GATEWAY_DATA_DIR", data_dir);
    command.stdin(Stdio::null());
    command
}

/// A data directory and a simulator of dbt Cloud.
pub(crate) struct Site {
    pub(crate) dbt: Running,
    directory: TempDir,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self {
            dbt: Simulator::start(Config::frozen()).await.unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// With a simulator without a rate limit that records up to a million requests. Its clock stands at the start of the
    /// test: runs whose answers were lost are looked for back to the time of their triggers.
    pub(crate) async fn for_load() -> Self {
        let config = Config {
            rate_limit: RateLimit::OFF,
            recorded_requests: 1_000_000,
            epoch: None,
            ..Config::frozen()
        };
        Self {
            dbt: Simulator::start(config).await.unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The private Postgres, for another process than its owner.
    pub(crate) fn database_url(&self) -> String {
        let socket = self.data_dir().join("run");
        format!("postgres://postgres@localhost/dbt_gateway?host={}", socket.display())
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.data_dir());
        command
            .args(arguments)
            .env("DBT_GATEWAY_LISTEN", "127.0.0.1:0")
            .env("DBT_GATEWAY__LOG__FORMAT", "json")
            .env("DBT_BASE_URL", format!("{}/api", self.dbt.base_url()))
            .env("DBT_TOKEN", acme::TOKEN)
            .env("DBT_ACCOUNT_ID", acme::ACCOUNT_ID.to_string())
            // The tests ask for more than the account's budget, count every request at dbt Cloud, and let it fail for long.
            .env("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", "0")
            .env("DBT_GATEWAY__BUDGET__DISCOVERY_PER_MINUTE", "0")
            .env("DBT_GATEWAY__CACHE__ENABLED", "false")
            .env("DBT_GATEWAY__BREAKER__MIN_EXCHANGES", "0");
        command
    }

    /// `keys create` for company 1.
    pub(crate) fn key(&self, role: &str) -> String {
        self.key_for(role, "1")
    }

    /// `keys create`, which prints only the key.
    pub(crate) fn key_for(&self, role: &str, company: &str) -> String {
        let arguments = ["keys", "create", "--name", role, "--company", company, "--role", role];
        let output = self.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        let key = printed.strip_suffix('\n').unwrap();
        assert!(
            key.starts_with("dgw_") && !key.contains(char::is_whitespace),
            "{printed:?}"
        );
        key.to_owned()
    }

    pub(crate) fn serve(&self) -> Gateway {
        Gateway::start(self.command(&["serve"]))
    }

    /// Rows of the private Postgres, by psql on its socket.
    pub(crate) fn rows(&self, query: &str) -> Vec<Value> {
        let printed = self.execute(&format!("SELECT to_jsonb(r) FROM ({query}) r"));
        printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Runs a statement, and returns what psql prints.
    pub(crate) fn execute(&self, statement: &str) -> String {
        let socket = self.data_dir().join("run");
        let output = Command::new("psql")
            .args(["-h", socket.to_str().unwrap()])
            .args(["-U", "postgres", "-d", "dbt_gateway", "-qtA", "-c", statement])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A running `dbt-gateway serve`. Dropping it kills it.
pub(crate) struct Gateway {
    child: Child,
    address: String,
    lines: Receiver<String>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = mpsc::channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line.clone());
                let _ = send.send(line);
            }
        });
        let mut gateway = Self {
            child,
            address: String::new(),
            lines,
            seen,
        };
        let serving = gateway.wait_for_line("\"message\":\"serving\"");
        let line: Value = serde_json::from_str(&serving).unwrap();
        line["address"].as_str().unwrap().clone_into(&mut gateway.address);
        gateway
    }

    /// The next log line that contains `part`.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        let until = Instant::now() + TIMEOUT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(ended) => panic!("{ended}: no line with {part:?} in:\n{}", self.log()),
            }
        }
    }

    /// Every log line so far.
    pub(crate) fn log(&self) -> String {
        self.seen.lock().unwrap().join("\n")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        let until = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the process does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGTERM and asserts a clean end.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Polls until `ask` returns a value.
pub(crate) async fn eventually<T, Answer: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> Answer,
) -> T {
    let until = Instant::now() + TIMEOUT;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < until, "timeout waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An HTTP client with an API key.
pub(crate) struct Caller {
    client: reqwest::Client,
    key: String,
}

impl Caller {
    pub(crate) fn new(key: &str) -> Self {
        // Fails if it is already installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            key: key.to_owned(),
        }
    }

    pub(crate) async fn get(&self, gateway: &Gateway, path: &str) -> reqwest::Result<Answer> {
        Answer::read(self.client.get(gateway.url(path)).bearer_auth(&self.key).send().await?).await
    }

    pub(crate) async fn post(&self, gateway: &Gateway, path: &str, body: &Value) -> reqwest::Result<Answer> {
        Answer::read(
            self.client
                .post(gateway.url(path))
                .bearer_auth(&self.key)
                .json(body)
                .send()
                .await?,
        )
        .await
    }

    pub(crate) async fn delete(&self, gateway: &Gateway, path: &str) -> reqwest::Result<Answer> {
        Answer::read(
            self.client
                .delete(gateway.url(path))
                .bearer_auth(&self.key)
                .send()
                .await?,
        )
        .await
    }

    pub(crate) async fn trigger(&self, gateway: &Gateway, job: i64) -> reqwest::Result<Answer> {
        self.post(
            gateway,
            &format!("/jobs/{job}/runs"),
            &serde_json::json!({"cause": "a test"}),
        )
        .await
    }
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) body: String,
}

impl Answer {
    async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        Ok(Self {
            status: response.status().as_u16(),
            request_id: response.headers()["x-request-id"].to_str().unwrap().to_owned(),
            body: response.text().await?,
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
