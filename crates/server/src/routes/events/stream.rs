//! A stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use client::{EventListener, Followed, NextEvents, RunEvent};
use futures::stream;

/// Proxies such as nginx pass each piece on at once.
const NO_BUFFERING: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);
/// A comment: proxies do not take the connection for idle. It has no `id`, so it changes no cursor.
const HEARTBEAT: &str = ":\n\n";
/// How long a browser waits before it connects again.
const RETRY: &str = "retry: 2000\n\n";

/// The stream, or 204 where no further event comes: a browser then does not connect again.
pub(super) fn answer(followed: Followed, heartbeat: Duration) -> Response {
    let Followed::Events(listener) = followed else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let next = move |state: State| async move { state.next(heartbeat).await };
    let pieces = stream::unfold(State::Begins(listener), next);
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            NO_BUFFERING,
        ],
        Body::from_stream(pieces),
    )
        .into_response()
}

enum State {
    Begins(Box<EventListener>),
    GoesOn(Box<EventListener>),
    Over,
}

impl State {
    async fn next(self, heartbeat: Duration) -> Option<(Result<Bytes, Infallible>, Self)> {
        let mut listener = match self {
            // The head leaves with it, so that the caller knows at once that it is connected.
            Self::Begins(listener) => return Some((Ok(RETRY.into()), Self::GoesOn(listener))),
            Self::GoesOn(listener) => listener,
            Self::Over => return None,
        };
        let next = tokio::select! {
            next = listener.next() => next,
            () = tokio::time::sleep(heartbeat) => return Some((Ok(HEARTBEAT.into()), Self::GoesOn(listener))),
        };
        match next {
            NextEvents::Events(events) => {
                let mut text = String::new();
                for event in &events {
                    text.push_str(event.rendered(rendered));
                }
                Some((Ok(text.into()), Self::GoesOn(listener)))
            }
            NextEvents::Gap(after) => {
                // Without an `id`: the next event has one.
                let text = format!("event: gap\ndata: {{\"resume_after\":{after}}}\n\n");
                Some((Ok(text.into()), Self::GoesOn(listener)))
            }
            NextEvents::End => None,
            NextEvents::Break => Some((Ok(RETRY.into()), Self::Over)),
        }
    }
}

/// The data has no line end: JSON escapes it.
fn rendered(event: &RunEvent) -> String {
    format!(
        "id: {}\nevent: {}\ndata: {}\n\n",
        event.seq,
        event.event.kind.as_str(),
        event.event.data
    )
}
