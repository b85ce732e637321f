//! The right to send one request, which learns from the answer.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::bucket::{Bucket, Token};
use super::buckets::Inner;
use super::cooldowns;

/// The right to send one request. Without a budget it says nothing.
#[derive(Debug, Default)]
pub struct Paid(Option<Held>);

#[derive(Debug)]
struct Held {
    inner: Arc<Inner>,
    bucket: Arc<Bucket>,
    token: Token,
}

impl Paid {
    pub(super) fn new(inner: &Arc<Inner>, bucket: Arc<Bucket>, token: Token) -> Self {
        Self(Some(Held {
            inner: Arc::clone(inner),
            bucket,
            token,
        }))
    }

    /// Whether it has lapsed, so that the request needs another.
    pub fn is_late(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.token.expires <= Instant::now())
    }

    /// Takes note of the answer's status. After a 429 the account's cooldown begins, by `retry_after` if dbt Cloud sent it.
    pub fn saw(mut self, status: StatusCode, retry_after: Option<Duration>) {
        let Some(held) = &mut self.0 else { return };
        if status == StatusCode::TOO_MANY_REQUESTS {
            held.token.is_probe = false;
            cooldowns::open(&held.inner, &held.bucket, retry_after);
        } else if std::mem::take(&mut held.token.is_probe) {
            cooldowns::end_probe(&held.inner, &held.bucket, true);
        }
    }
}

impl Drop for Held {
    /// A try without an answer leaves it to another request.
    fn drop(&mut self) {
        if self.token.is_probe {
            cooldowns::end_probe(&self.inner, &self.bucket, false);
        }
    }
}
