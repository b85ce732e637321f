//! Accepts connections up to a limit, breaks those whose callers are too slow, and on shutdown closes each once it is idle.
//!
//! A caller may send a request just when its connection is closed, and then cannot know whether it was handled. So a
//! connection stays open for a grace period: a request received in it is answered with `connection: close`.

mod activity;
mod allowance;
mod bodies;
mod counts;
mod refusal;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod waiting;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service as _, service_fn};

pub(crate) use allowance::MinRate;
pub(crate) use counts::Counts;
pub(crate) use table::Capacity;

use bodies::{AnswerBody, InRequest, PacedBody};
use refusal::Refusals;
use stream::PacedStream;
use table::{Place, Table};
use waiting::Queue;

/// The pause after a failed accept, such as one without free file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);
/// The system's buffer of what a caller has not read. It reports that a caller reads in steps of a third of it: with the
/// system's own size of megabytes a slow but steady reader would seem to stand still for minutes.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// The least time between two log lines about failed accepts.
const ACCEPT_LOG_PAUSE: Duration = Duration::from_secs(30);

/// Limits on callers' connections.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// How many there may be.
    pub(crate) capacity: Capacity,
    /// A connection that receives no complete request head for this long is closed.
    pub(crate) idle_timeout: Duration,
    /// How long a request head may take from its first byte.
    pub(crate) head_timeout: Duration,
    /// How fast callers read answers and send bodies.
    pub(crate) min_rate: MinRate,
    /// The buffer of a connection, from 8 KiB: holds the head of a request.
    pub(crate) buffer_bytes: usize,
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
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    closing: Closing,
    counts: Arc<Counts>,
) {
    let table = Arc::new(Table::new(limits.capacity.clone(), Arc::clone(&counts)));
    let mut queue = Queue::new(Arc::clone(&table), Refusals::new(counts));
    let start = |stream: TcpStream, peer, place: Place| {
        // Pieces of a streamed answer must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        // Fails on no supported system; without it only slow readers are judged worse.
        let _ = set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES);
        let serving = serve_connection(stream, peer, place, router.clone(), limits.clone(), closing.clone());
        closing.open.spawn(serving);
    };
    let mut failed: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = queue.next_look() => {
                for (stream, peer, place) in queue.admit() {
                    start(stream, peer, place);
                }
                continue;
            }
            () = closing.when_idle.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some((stream, peer, place)) = queue.arrive(stream, peer) {
                    start(stream, peer, place);
                }
            }
            Err(error) if is_caused_by_peer(&error) => {}
            Err(error) => {
                if failed.is_none_or(|failed| failed.elapsed() >= ACCEPT_LOG_PAUSE) {
                    failed = Some(Instant::now());
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "cannot accept connections; trying again"
                    );
                }
                // Without file descriptors, an idle connection has one to give.
                table.close_longest_waiting();
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    for (stream, peer) in queue.into_waiting().chain(drain_backlog(listener)) {
        start(stream, peer, table.admit_last());
    }
    closing.open.close();
    closing.open.wait().await;
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
    place: Place,
    router: Router,
    limits: ConnectionLimits,
    closing: Closing,
) {
    let activity = Arc::clone(&place.activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let in_request = InRequest::new(&activity);
        let mut request = request.map(|body| Body::new(PacedBody::new(body, Arc::clone(&activity), limits.min_rate)));
        request.extensions_mut().insert(ConnectInfo(peer));
        // A router is always ready.
        let answer = router.clone().call(request);
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(Response::map(answer, |body| AnswerBody::new(body, in_request)))
        }
    });
    // HTTP/1.1 only: detecting HTTP/2 would need two read buffers.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // Hyper starts this timeout at the end of the previous answer.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(limits.buffer_bytes);
    let stream = PacedStream::new(
        stream,
        Arc::clone(&place.activity),
        limits.head_timeout,
        limits.min_rate,
    );
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    // Errors of connections are ignored: requests are in the request log.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = place.close.cancelled() => return,
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
