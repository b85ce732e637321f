//! Simulated dbt Cloud behind every subject: one fixed list of two projects, immediately or after a delay. For attacks also
//! a slow project, a long list of runs and an artifact without end. A single-threaded process.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::http::{Endpoint, connect};
use crate::options::Protocol;
use crate::process::ChildProcess;
use crate::upstream_tls::TlsListener;

pub(crate) const ACCOUNT: &str = "70403103900001";
/// A list of two projects, in the format of dbt Cloud's API v3.
const PROJECTS: &str = include_str!("projects.json");
/// The project that is answered after [`SLOW`].
pub(crate) const SLOW_PROJECT: &str = "666";
const SLOW: Duration = Duration::from_secs(20);
/// The list of runs.
const RUNS: u64 = 10_000;
const RUN_BYTES: usize = 10_000;
/// `PUT` with a number of milliseconds at the end sets the delay of all later responses.
const DELAY: &str = "/delay/";

/// The upstream process. It ends when its standard input closes.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// Over TLS, with the file of its certificate.
    tls: Option<(SocketAddr, PathBuf)>,
    pub(crate) process: ChildProcess,
}

impl Upstream {
    pub(crate) async fn start(protocol: Protocol, folder: &Path) -> anyhow::Result<Self> {
        let certificate = (protocol == Protocol::H2).then(|| folder.join("upstream.pem"));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("upstream").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(file) = &certificate {
            command.arg("--certificate").arg(file);
        }
        let mut process = ChildProcess::start(&mut command)?;
        let stdout = process.child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut address = async || {
            let line = lines.next_line().await?;
            anyhow::Ok(line.context("the upstream did not start")?.parse()?)
        };
        let plain = address().await?;
        let tls = match certificate {
            Some(file) => Some((address().await?, file)),
            None => None,
        };
        Ok(Self {
            address: plain,
            tls,
            process,
        })
    }

    /// The environment of a gateway that uses this upstream. `SSL_CERT_FILE` replaces the system's certificates, for gateways
    /// of every version.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match &self.tls {
            None => vec![("DBT_BASE_URL", format!("http://{}/api", self.address))],
            Some((address, certificate)) => vec![
                ("DBT_BASE_URL", format!("https://{address}/api")),
                ("SSL_CERT_FILE", certificate.display().to_string()),
            ],
        }
    }

    /// Sets the delay of all later responses.
    pub(crate) async fn set_delay(&self, delay: Duration) -> anyhow::Result<()> {
        let path = format!("{DELAY}{}", delay.as_millis());
        let request = Request::builder()
            .method(Method::PUT)
            .uri(path)
            .body(Empty::<Bytes>::new())?;
        connect(self.address).await?.send_request(request).await?;
        Ok(())
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: self.address,
            path: format!("/api/v3/accounts/{ACCOUNT}/projects/?limit=100&offset=0"),
            authorization: "Token dbtc_FAKE_bench".to_owned(),
        }
    }
}

/// Prints the address (and that of TLS, with `certificate`), then serves until standard input closes, so that it never
/// outlives the bench.
pub(crate) async fn serve(certificate: Option<&Path>) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let delay_ms = Arc::new(AtomicU64::new(0));
    if let Some(file) = certificate {
        let listener = TlsListener::bind(file).await?;
        writeln!(std::io::stdout(), "{}", listener.address()?)?;
        let delay_ms = Arc::clone(&delay_ms);
        tokio::spawn(listener.serve(move |request| respond(request, Arc::clone(&delay_ms))));
    }
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0];
    let mut closed = std::pin::pin!(stdin.read(&mut buffer));
    loop {
        let (connection, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut closed => return Ok(()),
        };
        connection.set_nodelay(true)?;
        let delay_ms = Arc::clone(&delay_ms);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&delay_ms)));
            // An error only means that the client closed the connection.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn respond(request: Request<Incoming>, delay_ms: Arc<AtomicU64>) -> Result<Response<Body>, Infallible> {
    let new_delay = request.uri().path().strip_prefix(DELAY);
    if let Some(new_delay) = new_delay.and_then(|text| text.parse().ok()) {
        delay_ms.store(new_delay, Ordering::Relaxed);
    } else {
        let delay_ms = delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
    }
    let path = request.uri().path();
    let body = if path.ends_with("/runs/") {
        Full::new(runs(request.uri().query().unwrap_or_default())).boxed()
    } else if path.contains("/artifacts/") {
        endless()
    } else {
        if path.contains(SLOW_PROJECT) {
            tokio::time::sleep(SLOW).await;
        }
        Full::new(Bytes::from_static(PROJECTS.as_bytes())).boxed()
    };
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// A page of the list of runs.
fn runs(query: &str) -> Bytes {
    let number = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(found, value)| (found == name).then(|| value.parse::<u64>().ok())?)
    };
    let (offset, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(100));
    let padding = "x".repeat(RUN_BYTES);
    let entries: Vec<String> = (offset.min(RUNS)..(offset + limit).min(RUNS))
        .map(|id| {
            format!(
                r#"{{"id": {}, "account_id": {ACCOUNT}, "status": 10, "git_branch": "{padding}"}}"#,
                id + 1
            )
        })
        .collect();
    let total = format!(r#"{{"pagination": {{"count": {limit}, "total_count": {RUNS}}}}}"#);
    format!(r#"{{"data": [{}], "extra": {total}}}"#, entries.join(",")).into()
}

/// A body without an end.
fn endless() -> Body {
    let piece = Bytes::from(vec![b' '; 64 << 10]);
    let pieces = futures::stream::repeat_with(move || Ok(Frame::data(piece.clone())));
    BodyExt::boxed(StreamBody::new(pieces))
}

#[cfg(test)]
mod tests {
    use super::PROJECTS;

    #[test]
    fn the_response_is_a_list_of_two_projects() {
        let list: serde_json::Value = serde_json::from_str(PROJECTS).unwrap();
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        assert_eq!(list["extra"]["pagination"]["total_count"], 2);
    }
}
