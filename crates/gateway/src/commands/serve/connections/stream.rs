//! A caller's socket that breaks when the caller is too slow: with the head of a request, or with reading answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::allowance::{Allowance, MinRate, too_slow};

/// The head of a request that has begun to arrive.
struct Head {
    /// The requests before it.
    number: u64,
    deadline: Instant,
    /// Created once the caller is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// Wraps a socket.
pub(super) struct PacedStream<S> {
    socket: S,
    activity: Arc<Activity>,
    head_timeout: Duration,
    head: Option<Head>,
    reading: Allowance,
}

impl<S> PacedStream<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>, head_timeout: Duration, rate: MinRate) -> Self {
        Self {
            socket,
            activity,
            head_timeout,
            head: None,
            reading: Allowance::new(rate),
        }
    }

    /// Bytes have arrived.
    fn received(&mut self) {
        self.activity.peer_moved();
        let number = self.activity.requests();
        if !self.activity.is_in_request() && self.head.as_ref().is_none_or(|head| head.number != number) {
            self.head = Some(Head {
                number,
                deadline: Instant::now() + self.head_timeout,
                timer: None,
            });
        }
    }

    /// Ready when the head of a request is overdue.
    fn poll_head_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_incomplete = !self.activity.is_in_request();
        match &mut self.head {
            Some(head) if is_incomplete && head.number == self.activity.requests() => {
                let deadline = head.deadline;
                let timer = head.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                timer.as_mut().poll(cx)
            }
            _ => Poll::Pending,
        }
    }

    fn wrote(&mut self, result: io::Result<usize>) -> Poll<io::Result<usize>> {
        if let Ok(bytes) = result {
            self.activity.peer_moved();
            self.reading.moved(bytes);
        }
        Poll::Ready(result)
    }

    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.activity.peer_waits();
        ready!(self.reading.poll_used_up(cx));
        self.activity.was_too_slow();
        Poll::Ready(Err(too_slow()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buffer) {
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    self.received();
                }
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(self.poll_head_overdue(cx));
                self.activity.was_too_slow();
                let overdue = "the head of the request took longer than server.head_timeout_secs";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, overdue)))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write(cx, bytes) {
            Poll::Ready(result) => self.wrote(result),
            Poll::Pending => self.poll_unread(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write_vectored(cx, slices) {
            Poll::Ready(result) => self.wrote(result),
            Poll::Pending => self.poll_unread(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
