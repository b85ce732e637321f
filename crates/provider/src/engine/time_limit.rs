//! Until when something must have ended.

use std::time::Duration;

use dbt_api::ApiError;
use http::StatusCode;
use model::{Effect, RequestStamp};
use tokio::time::{Instant, timeout_at};

/// A moment, with the time that it is after the start; `None`: no limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit(Option<(Instant, Duration)>);

impl TimeLimit {
    /// How long the caller says that it waits.
    pub(crate) fn of_caller(stamp: &RequestStamp) -> Self {
        Self(stamp.deadline().map(Instant::from_std).zip(stamp.timeout))
    }

    /// That long from now.
    pub(crate) fn starting_now(length: Duration) -> Self {
        Self(Some((Instant::now() + length, length)))
    }

    /// The earlier one.
    pub(crate) fn or_earlier(self, other: Self) -> Self {
        Self(self.0.into_iter().chain(other.0).min())
    }

    /// Ends `work` at that moment with [`ApiError::Timeout`].
    pub(crate) async fn of<T, E: From<ApiError>>(
        self,
        status: Option<StatusCode>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match self.0 {
            None => work.await,
            Some((moment, length)) => timeout_at(moment, work)
                .await
                .unwrap_or_else(|_| Err(ApiError::deadline_passed(status, length).into())),
        }
    }

    /// As [`Self::of`], for the work of a read. A change runs to its end.
    pub(crate) async fn bounds<T, E: From<ApiError>>(
        self,
        effect: Effect,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match effect {
            Effect::Read => self.of(None, work).await,
            Effect::Change => work.await,
        }
    }
}
