//! Callers' connections: accepted until a stop, then closed one by one, each when nothing is under way on it.
//!
//! A caller that keeps its connection may send a request at the very moment when it is closed, and then cannot know
//! what became of it. So no connection is closed at once: a request that comes within the grace is answered, and its
//! answer says that the connection closes.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long accepting pauses when the process has no more file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// When connections end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending {
    /// No more are accepted; those there are closed when they are done.
    pub(crate) no_more: CancellationToken,
    /// All are closed, whatever is under way on them.
    pub(crate) now: CancellationToken,
    /// How long an unused one stays open after `no_more`.
    pub(crate) idle_grace: Duration,
}

/// Serves until `ending`, and then until the last connection is closed.
pub(crate) async fn serve(listener: TcpListener, router: Router, ending: Ending) {
    let connections = TaskTracker::new();
    let begin = |stream: TcpStream, peer| {
        // A streamed answer leaves piece by piece: none waits until the one before it is acknowledged.
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, peer, router.clone(), ending.clone()));
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ending.no_more.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer),
            Err(error) if is_of_the_caller(&error) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no connection can be accepted; trying again"
                );
                sleep(BREATH).await;
            }
        }
    }
    // Whom the system has let in already is not turned away.
    for (stream, peer) in waiting(listener) {
        begin(stream, peer);
    }
    connections.close();
    connections.wait().await;
}

/// Whether only that one caller has a problem.
fn is_of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// The connections that wait at the listener, which is closed.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut waiting = Vec::new();
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            waiting.extend(stream.ok().map(|stream| (stream, peer)));
        }
    }
    waiting
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, ending: Ending) {
    let service = router.map_request(move |mut request: axum::http::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(Body::new)
    });
    // HTTP/1.1 alone: to tell HTTP/2 apart, each connection would read into twice the memory.
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    // How a connection ends is its caller's affair: what was asked is on record.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ending.no_more.cancelled() => {}
    }
    tokio::select! {
        _ = connection.as_mut() => return,
        () = sleep(ending.idle_grace) => connection.as_mut().graceful_shutdown(),
        () = ending.now.cancelled() => return,
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ending.now.cancelled() => {}
    }
}
