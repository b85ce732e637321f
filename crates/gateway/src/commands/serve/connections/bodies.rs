//! The bodies of a request and of its answer, which tell the connection's [`Activity`] what it waits for.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::activity::Activity;
use super::allowance::{Allowance, MinRate, too_slow};

/// The body of a request. It fails when the caller sends it slower than the minimum rate while it is being read.
pub(super) struct PacedBody<B> {
    body: B,
    activity: Arc<Activity>,
    sending: Allowance,
}

impl<B> PacedBody<B> {
    pub(super) fn new(body: B, activity: Arc<Activity>, rate: MinRate) -> Self {
        Self {
            body,
            activity,
            sending: Allowance::new(rate),
        }
    }
}

impl<B> HttpBody for PacedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let bytes = match &frame {
                    Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                    _ => 0,
                };
                self.activity.peer_moved();
                self.sending.moved(bytes);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                self.activity.peer_waits();
                self.sending.poll_used_up(cx).map(|()| {
                    self.activity.was_too_slow();
                    Some(Err(too_slow().into()))
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Marks a connection as being in a request until it is dropped.
pub(super) struct InRequest(Arc<Activity>);

impl InRequest {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.request_began();
        Self(Arc::clone(activity))
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// The body of an answer, dropped when it was handed to the socket.
pub(super) struct AnswerBody {
    body: Body,
    _request: InRequest,
}

impl AnswerBody {
    pub(super) fn new(body: Body, request: InRequest) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
