//! An HTTP/2 server on the `h2` crate, which hands out what `hyper` decides alone: refused streams, windows, and when they
//! are given back.

use std::future::poll_fn;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderValue, Method, Request, Response, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::connection::ConnectionHandle;
use crate::goaway;
use crate::state::State;
use crate::switches::Switches;

/// Buffer between the frames that [`goaway`] lets through and the server, in bytes.
const FRAMES_BUFFER: usize = 256 * 1024;

/// Why a connection ended.
pub(crate) type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection to its end.
pub(crate) async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
    connection: &ConnectionHandle,
    app: Router,
) -> Result<(), ConnectionError> {
    let switches = state.switches();
    let Some(after) = switches.h2_goaway_after else {
        return Ok(streams(io, state, &switches, connection, app).await?);
    };
    let (frames, server) = tokio::io::duplex(FRAMES_BUFFER);
    tokio::select! {
        ended = goaway::relay(io, frames, after) => ended?,
        ended = streams(server, state, &switches, connection, app) => ended?,
    }
    Ok(())
}

async fn streams(
    io: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
    switches: &Switches,
    connection: &ConnectionHandle,
    app: Router,
) -> Result<(), h2::Error> {
    let mut http2 = h2::server::Builder::new()
        .initial_window_size(switches.h2_stream_window)
        .initial_connection_window_size(switches.h2_connection_window)
        .max_concurrent_streams(switches.h2_max_streams)
        .handshake::<_, Bytes>(io)
        .await?;
    let window_delay = Duration::from_millis(switches.h2_window_update_delay_ms);
    let mut answers = JoinSet::new();
    // `accept` also drives the streams that are being answered.
    while let Some(accepted) = http2.accept().await {
        let (request, mut respond) = accepted?;
        let query = request.uri().query().unwrap_or_default();
        if state
            .faults
            .refuse_stream(request.method().as_str(), request.uri().path(), query)
        {
            respond.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        answers.spawn(answer(app.clone(), connection.clone(), request, respond, window_delay));
        while answers.try_join_next().is_some() {}
    }
    Ok(())
}

/// Answers one request. A client that resets its stream drops the work, as it does with HTTP/1.1.
async fn answer(
    app: Router,
    connection: ConnectionHandle,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    window_delay: Duration,
) {
    let has_body = request.method() != Method::HEAD;
    let request = for_router(request, window_delay);
    let response = tokio::select! {
        response = app.oneshot(request) => response,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    if connection.is_broken() {
        // Wakes the connection, which then meets its broken socket.
        respond.send_reset(Reason::CANCEL);
        return;
    }
    let Ok(response) = response;
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    let ends = !has_body || body.is_end_stream();
    if let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ends)
        && !ends
    {
        send_body(stream, body).await;
    }
}

/// The request as HTTP/1.1 would bring it: with `Host`, and with a body that gives its pieces back to the windows.
fn for_router(request: Request<RecvStream>, window_delay: Duration) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    let host = parts.uri.authority().map(|authority| authority.as_str().to_owned());
    if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
        parts.headers.entry(header::HOST).or_insert(host);
    }
    Request::from_parts(parts, Body::from_stream(pieces(body, window_delay)))
}

fn pieces(body: RecvStream, window_delay: Duration) -> impl Stream<Item = Result<Bytes, h2::Error>> {
    stream::unfold(body, move |mut body| async move {
        let piece = body.data().await?;
        if let Ok(piece) = &piece {
            if !window_delay.is_zero() {
                tokio::time::sleep(window_delay).await;
            }
            // Fails only for more bytes than were received.
            let _ = body.flow_control().release_capacity(piece.len());
        }
        Some((piece, body))
    })
}

/// Sends the body as the client's window allows. An error of the body ends the stream early: with the declared length
/// unmet, clients see a broken answer. (`RST_STREAM` would also discard what is not sent yet.)
async fn send_body(mut stream: SendStream<Bytes>, body: Body) {
    let mut body = body.into_data_stream();
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return,
        };
        let Some(Ok(piece)) = piece else {
            // Fails only when the client has gone.
            let _ = stream.send_data(Bytes::new(), true);
            return;
        };
        if send(&mut stream, piece).await.is_none() {
            return;
        }
    }
}

/// `None` when the client has gone.
async fn send(stream: &mut SendStream<Bytes>, mut piece: Bytes) -> Option<()> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len());
        while stream.capacity() == 0 {
            poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
        }
        let part = piece.split_to(piece.len().min(stream.capacity()));
        stream.send_data(part, false).ok()?;
    }
    Some(())
}
