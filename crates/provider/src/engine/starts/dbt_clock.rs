//! dbt Cloud's clock beside the database's. Runs are compared with attempts by their ids where a run is known that is older
//! than the attempt; where their times count as well, it is known how far dbt Cloud's clock may be behind.

use chrono::{DateTime, TimeDelta, Utc};
use dbt_api::ApiError;
use model::{RequestType, Run};
use storage::Attempt;

use crate::engine::Call;
use crate::exchanges::Why;

/// How much further a look reads back than a run of the attempt can be.
const FURTHER_BACK: TimeDelta = TimeDelta::minutes(5);

/// How far dbt Cloud's clock is behind the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DbtClock {
    /// At most so much.
    BehindAtMost(TimeDelta),
    /// Unknown: times of runs say nothing.
    Unknown,
}

impl DbtClock {
    /// Compares the clocks by the newest run that was known before the attempts: it was created before that moment. `known`:
    /// that run, if it was listed. Without such a run the clocks are taken to differ by no more than `difference`.
    pub(super) async fn read(
        call: &Call,
        attempts: &[Attempt],
        difference: TimeDelta,
        listed: impl Fn(model::RunId) -> Option<Run>,
    ) -> Result<Self, ApiError> {
        let known = attempts.iter().filter_map(|attempt| attempt.watermark);
        let Some(known) = known.max_by_key(|known| known.run) else {
            return Ok(Self::BehindAtMost(difference));
        };
        let run = if let Some(run) = listed(known.run) {
            run
        } else {
            let read = call.exchange(RequestType::GetRun, Why::LookUp, move |api, to| {
                api.get_run(to, known.run, &[])
            });
            match read.await {
                Ok(run) => run,
                // Deleted, or not for this credential.
                Err(ApiError::NotFound { .. }) => return Ok(Self::Unknown),
                Err(error) => return Err(error),
            }
        };
        Ok(created(&run).map_or(Self::Unknown, |created| {
            Self::BehindAtMost((known.known_at - created).max(TimeDelta::zero()) + difference)
        }))
    }

    /// Whether a run may have been started by the attempt.
    pub(super) fn may_follow(self, run: &Run, attempt: &Attempt) -> bool {
        let by_id = attempt.watermark.is_none_or(|known| run.id > known.run);
        by_id
            && self
                .age(run, attempt)
                .is_none_or(|older_by| older_by <= TimeDelta::zero())
    }

    /// Whether a run, and with it every one with a smaller id, is older than the attempt.
    pub(super) fn is_long_before(self, run: &Run, attempt: &Attempt) -> bool {
        attempt.watermark.is_some_and(|known| run.id <= known.run)
            || self.age(run, attempt).is_some_and(|older_by| older_by > FURTHER_BACK)
    }

    /// By how much a run is at least older than the attempt; `None` if that is unknown.
    fn age(self, run: &Run, attempt: &Attempt) -> Option<TimeDelta> {
        match self {
            Self::BehindAtMost(behind) => Some(attempt.sent_at - behind - created(run)?),
            Self::Unknown => None,
        }
    }
}

fn created(run: &Run) -> Option<DateTime<Utc>> {
    run.created_at.map(DateTime::from)
}
