//! Callers' connections: accepted until a stop, so many at once, then closed one by one, each when nothing is under way on
//! it.
//!
//! A caller that keeps its connection may send a request at the very moment when it is closed, and then cannot know
//! what became of it. So no connection is closed at once: a request that comes within the grace is answered, and its
//! answer says that the connection closes.

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

/// How long accepting pauses when the process has no more file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// How many connections there are, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// So many at once, from 1. One more waits, unaccepted, until another closes.
    pub(crate) max_connections: usize,
    /// One on which the head of a request has not come for so long is closed.
    pub(crate) idle_timeout: Duration,
}

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
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, ending: Ending) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let begin = |stream: TcpStream, peer, place: Option<OwnedSemaphorePermit>| {
        // A streamed answer leaves piece by piece: none waits until the one before it is acknowledged.
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(
            stream,
            peer,
            place,
            router.clone(),
            limits.idle_timeout,
            ending.clone(),
        ));
    };
    loop {
        let (place, accepted) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = ending.no_more.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, place),
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
        begin(stream, peer, None);
    }
    connections.close();
    connections.wait().await;
}

type Accepted = (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>);

/// The next connection, once there is a place for it. Whoever waits until then does so in the system's queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Accepted {
    if places.available_permits() == 0 {
        tracing::warn!("as many connections as limits.max_connections allows; others wait");
    }
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
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

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    _place_until_it_ends: Option<OwnedSemaphorePermit>,
    router: Router,
    idle_timeout: Duration,
    ending: Ending,
) {
    let service = router.map_request(move |mut request: axum::http::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(Body::new)
    });
    // HTTP/1.1 alone: to tell HTTP/2 apart, each connection would read into twice the memory.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // It runs from the end of the answer before.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout);
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

#[cfg(test)]
mod tests {
    use std::error::Error;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(200);
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Answers `/` at once and `/slow` long after an unused connection would have been closed.
    async fn served(max_connections: usize, idle_timeout: Duration) -> io::Result<SocketAddr> {
        let slow = || async {
            sleep(TIMEOUT * 3).await;
            "slow"
        };
        let router = Router::new().route("/", get(async || "ok")).route("/slow", get(slow));
        let limits = ConnectionLimits {
            max_connections,
            idle_timeout,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(serve(listener, router, limits, Ending::default()));
        Ok(address)
    }

    async fn send(stream: &mut TcpStream, path: &str) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n");
        stream.write_all(request.as_bytes()).await
    }

    /// Reads until what came ends in that.
    async fn comes(stream: &mut TcpStream, end: &str) -> io::Result<()> {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            answer.push(timeout(PATIENCE, stream.read_u8()).await??);
        }
        Ok(())
    }

    /// Whether nothing more comes.
    async fn is_closed(stream: &mut TcpStream) -> io::Result<bool> {
        Ok(timeout(PATIENCE, stream.read(&mut [0])).await?? == 0)
    }

    #[tokio::test]
    async fn one_connection_more_than_there_may_be_waits_for_its_turn() -> Result<(), Box<dyn Error>> {
        let address = served(1, TIMEOUT * 100).await?;
        let mut first = TcpStream::connect(address).await?;
        send(&mut first, "/").await?;
        comes(&mut first, "ok").await?;

        let mut second = TcpStream::connect(address).await?;
        send(&mut second, "/").await?;
        for _ in 0..100 {
            send(&mut first, "/").await?;
            comes(&mut first, "ok").await?;
        }
        let unanswered = second.try_read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(unanswered, Err(io::ErrorKind::WouldBlock));

        drop(first);
        comes(&mut second, "ok").await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_without_the_head_of_a_request_is_closed_and_a_slow_answer_waited_for()
    -> Result<(), Box<dyn Error>> {
        let address = served(10, TIMEOUT).await?;
        for sent in ["", "GET / HTTP/1.1\r\nhost: gate"] {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(sent.as_bytes()).await?;
            assert!(is_closed(&mut stream).await?, "{sent:?}");
        }

        let mut stream = TcpStream::connect(address).await?;
        send(&mut stream, "/slow").await?;
        comes(&mut stream, "slow").await?;
        send(&mut stream, "/").await?;
        comes(&mut stream, "ok").await?;
        assert!(is_closed(&mut stream).await?, "unused again");
        Ok(())
    }
}
