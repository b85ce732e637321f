//! Accepts connections up to a limit; on shutdown closes each once it is idle.
//!
//! A caller may send a request just when its connection is closed, and then cannot know whether it was handled. So a
//! connection stays open for a grace period: a request received in it is answered with `connection: close`.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// The pause after a failed accept, such as one without free file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Limits on callers' connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// Concurrent connections, from 1. Further ones wait in the listener's backlog.
    pub(crate) max_connections: usize,
    /// A connection that receives no complete request head for this long is closed.
    pub(crate) idle_timeout: Duration,
}

/// How connections are closed on shutdown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closing {
    /// Cancelled: no connection is accepted, and each open one closes once it is idle.
    pub(crate) when_idle: CancellationToken,
    /// Cancelled: every connection closes immediately.
    pub(crate) immediately: CancellationToken,
    /// How long an idle connection stays open after `when_idle`.
    pub(crate) idle_grace: Duration,
    /// The open connections.
    pub(crate) open: TaskTracker,
}

/// Serves until `closing`, then until the last connection is closed.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, closing: Closing) {
    let connections = closing.open.clone();
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let start = |stream: TcpStream, peer, slot: Option<OwnedSemaphorePermit>| {
        // Pieces of a streamed answer must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        connections.spawn(serve_connection(
            stream,
            peer,
            slot,
            router.clone(),
            limits.idle_timeout,
            closing.clone(),
        ));
    };
    loop {
        let (slot, accepted) = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = closing.when_idle.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => start(stream, peer, slot),
            Err(error) if is_caused_by_peer(&error) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot accept connections; trying again"
                );
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    for (stream, peer) in drain_backlog(listener) {
        start(stream, peer, None);
    }
    connections.close();
    connections.wait().await;
}

type Accepted = (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>);

/// Accepts the next connection once a slot is free.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Accepted {
    if slots.available_permits() == 0 {
        tracing::warn!("limits.max_connections is reached; further connections wait");
    }
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    (slot, listener.accept().await)
}

fn is_caused_by_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// The connections in the listener's backlog. The listener is closed.
fn drain_backlog(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut backlog = Vec::new();
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            backlog.extend(stream.ok().map(|stream| (stream, peer)));
        }
    }
    backlog
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    _slot: Option<OwnedSemaphorePermit>,
    router: Router,
    idle_timeout: Duration,
    closing: Closing,
) {
    let service = router.map_request(move |mut request: axum::http::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(Body::new)
    });
    // HTTP/1.1 only: detecting HTTP/2 would need two read buffers.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // Hyper starts this timeout at the end of the previous answer.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    // Errors of connections are ignored: requests are in the request log.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closing.when_idle.cancelled() => {}
    }
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(closing.idle_grace) => connection.as_mut().graceful_shutdown(),
        () = closing.immediately.cancelled() => return,
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = closing.immediately.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const IDLE_TIMEOUT: Duration = Duration::from_millis(200);
    const TEST_TIMEOUT: Duration = Duration::from_secs(10);

    /// Answers `/` immediately and `/slow` after three idle timeouts.
    async fn start(max_connections: usize, idle_timeout: Duration) -> io::Result<SocketAddr> {
        let slow = || async {
            sleep(IDLE_TIMEOUT * 3).await;
            "slow"
        };
        let router = Router::new().route("/", get(async || "ok")).route("/slow", get(slow));
        let limits = ConnectionLimits {
            max_connections,
            idle_timeout,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(serve(listener, router, limits, Closing::default()));
        Ok(address)
    }

    async fn send(stream: &mut TcpStream, path: &str) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n");
        stream.write_all(request.as_bytes()).await
    }

    /// Reads until the received bytes end with `end`.
    async fn read_until(stream: &mut TcpStream, end: &str) -> io::Result<()> {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            answer.push(timeout(TEST_TIMEOUT, stream.read_u8()).await??);
        }
        Ok(())
    }

    /// Whether the peer closed the connection.
    async fn is_closed(stream: &mut TcpStream) -> io::Result<bool> {
        Ok(timeout(TEST_TIMEOUT, stream.read(&mut [0])).await?? == 0)
    }

    #[tokio::test]
    async fn a_connection_over_the_limit_waits_for_a_free_slot() -> Result<(), Box<dyn Error>> {
        let address = start(1, IDLE_TIMEOUT * 100).await?;
        let mut first = TcpStream::connect(address).await?;
        send(&mut first, "/").await?;
        read_until(&mut first, "ok").await?;

        let mut second = TcpStream::connect(address).await?;
        send(&mut second, "/").await?;
        for _ in 0..100 {
            send(&mut first, "/").await?;
            read_until(&mut first, "ok").await?;
        }
        let unanswered = second.try_read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(unanswered, Err(io::ErrorKind::WouldBlock));

        drop(first);
        read_until(&mut second, "ok").await?;
        Ok(())
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_a_slow_answer_is_not() -> Result<(), Box<dyn Error>> {
        let address = start(10, IDLE_TIMEOUT).await?;
        for sent in ["", "GET / HTTP/1.1\r\nhost: gate"] {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(sent.as_bytes()).await?;
            assert!(is_closed(&mut stream).await?, "{sent:?}");
        }

        let mut stream = TcpStream::connect(address).await?;
        send(&mut stream, "/slow").await?;
        read_until(&mut stream, "slow").await?;
        send(&mut stream, "/").await?;
        read_until(&mut stream, "ok").await?;
        assert!(is_closed(&mut stream).await?, "idle again");
        Ok(())
    }
}
