//! The answer to a connection for which there is no place. Its request is not read.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::counts::Counts;
use super::table::Full;

/// Refused connections that are answered at a time; further ones are closed without an answer.
const CONCURRENT: usize = 64;
/// How long a refused connection may take to read its answer.
const LIMIT: Duration = Duration::from_secs(1);

/// Answers refused connections.
#[derive(Debug)]
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    counts: Arc<Counts>,
}

impl Refusals {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(CONCURRENT)),
            counts,
        }
    }

    /// Answers 503 and closes the connection. Does not wait.
    pub(super) fn answer(&self, stream: TcpStream, full: Full) {
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(LIMIT, write(stream, full)).await;
                drop(permit);
            });
        }
    }
}

async fn write(mut stream: TcpStream, full: Full) -> std::io::Result<()> {
    let limit = full.limit();
    let body = format!(
        "{{\"type\":\"/problems/busy\",\"title\":\"Gateway busy\",\"status\":503,\"detail\":\"{limit} is reached: there are \
         too many connections. dbt Cloud was not contacted.\"}}"
    );
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\nconnection: \
         close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A socket that is closed with unread bytes resets the connection, and the answer may be lost.
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}
