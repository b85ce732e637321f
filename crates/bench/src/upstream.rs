//! The double of dbt Cloud behind every contestant: one fixed list of two projects, as fast as possible or after a
//! pause. One thread of a process of its own.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

/// A list of projects as dbt Cloud's API v3 answers it, with two of them.
const PROJECTS: &str = include_str!("projects.json");
/// `PUT` with a number of milliseconds at its end: how long every answer takes from now on.
pub(crate) const DELAY: &str = "/delay/";

/// Serves until standard input ends, so that it never outlives the bench. Prints its address.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let delay_ms = Arc::new(AtomicU64::new(0));
    let mut parent = tokio::io::stdin();
    let mut nothing = [0];
    let mut gone = std::pin::pin!(parent.read(&mut nothing));
    loop {
        let (connection, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut gone => return Ok(()),
        };
        connection.set_nodelay(true)?;
        let delay_ms = Arc::clone(&delay_ms);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&delay_ms)));
            // Whoever hangs up has measured enough.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, delay_ms: Arc<AtomicU64>) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.uri().path().strip_prefix(DELAY);
    if let Some(asked) = asked.and_then(|asked| asked.parse().ok()) {
        delay_ms.store(asked, Ordering::Relaxed);
    } else {
        let delay_ms = delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
    }
    let mut answer = Response::new(Full::new(Bytes::from_static(PROJECTS.as_bytes())));
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::PROJECTS;

    #[test]
    fn the_answer_is_a_list_of_two_projects() {
        let list: serde_json::Value = serde_json::from_str(PROJECTS).unwrap();
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        assert_eq!(list["extra"]["pagination"]["total_count"], 2);
    }
}
