//! Resolves attempts whose answers were lost: within the request, and later in the background.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dbt_api::ApiError;
use model::{ClientContext, Run, RunId, RunOrigin, StartedRun};
use serde_json::json;
use storage::{Attempt, AttemptEnd};
use tokio::time::Instant;
use uuid::Uuid;

use super::look::{Looked, Looks};
use super::starter::{CREATED, Starter, first_answer};
use crate::engine::{Call, RowSubject};
use crate::error::TriggerUnresolved;
use crate::{DbtProvider, ProviderError};

impl Starter {
    /// Looks for the run while the caller waits, then leaves it to the background.
    pub(crate) async fn resolve(
        &self,
        call: &Call,
        attempt: &Attempt,
        lost: ApiError,
    ) -> Result<StartedRun, ProviderError> {
        if let Err(error) = self.ledger.mark_ambiguous(attempt.lease).await {
            // It stays `sending`, which is looked for in the same way.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a lost answer was not recorded"
            );
        }
        let until = Instant::now() + self.settings.resolve;
        let mut candidates = Vec::new();
        let mut looks = Looks::new(call, self, std::slice::from_ref(attempt));
        for pause in pauses(self.settings.min_pause, self.settings.max_pause) {
            match looks.look().await.map(|mut all| all.pop()) {
                Ok(Some(Looked::Found { run, is_probable })) => {
                    return self.adopt(call, attempt, *run, is_probable).await;
                }
                Ok(Some(Looked::Several(ids))) => candidates = ids,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a look for a run failed");
                }
            }
            if Instant::now() + pause >= until {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        self.postpone(attempt, self.settings.max_pause).await;
        call.set_last_status(lost.status());
        Err(unresolved(attempt, candidates, Some(lost)))
    }

    /// Makes a run that was found that of the attempt, and the answer to its key.
    pub(super) async fn adopt(
        &self,
        call: &Call,
        attempt: &Attempt,
        run: Run,
        is_probable: bool,
    ) -> Result<StartedRun, ProviderError> {
        if self.end_started(attempt, &run, is_probable).await? {
            call.set_run(run.id);
            return Ok(StartedRun::new(run, RunOrigin::Resolved));
        }
        // Another process took the attempt over, or the run is another attempt's.
        let resolution = self.ledger.resolution(attempt.request_uuid).await?;
        match resolution.and_then(|resolution| resolution.run_id) {
            Some(id) if id == run.id => {
                call.set_run(id);
                Ok(StartedRun::new(run, RunOrigin::Resolved))
            }
            _ => Err(unresolved(attempt, vec![run.id], None)),
        }
    }

    /// Ends an attempt with the run that was found, which is the answer to its key. `false`: another process has taken the
    /// attempt over, or the run is another attempt's.
    async fn end_started(&self, attempt: &Attempt, run: &Run, is_probable: bool) -> Result<bool, ProviderError> {
        let end = AttemptEnd::Started {
            run: run.id,
            is_probable,
        };
        let answer = first_answer(run, CREATED)?;
        Ok(self.ledger.end(attempt.lease, &end, Some(&answer)).await?)
    }

    pub(super) async fn postpone(&self, attempt: &Attempt, pause: Duration) {
        if let Err(error) = self.ledger.postpone(attempt.lease, pause).await {
            // The lease then ends by itself.
            tracing::warn!(error = &error as &dyn std::error::Error, "an attempt was not released");
        }
    }

    /// Ends or postpones an attempt after a look in the background that began at `began`.
    pub(super) async fn settle(
        &self,
        attempt: &Attempt,
        looked: Option<Looked>,
        began: DateTime<Utc>,
    ) -> Result<Settled, ProviderError> {
        let is_over = began >= attempt.deadline;
        let is_given_up =
            TimeDelta::from_std(self.settings.give_up_after).is_ok_and(|more| began >= attempt.deadline + more);
        let end = match looked {
            Some(Looked::Found { run, is_probable }) => {
                let is_ended = self.end_started(attempt, &run, is_probable).await?;
                return Ok(if is_ended { Settled::Ended } else { Settled::Open });
            }
            Some(Looked::Absent) if is_over => AttemptEnd::NotStarted,
            Some(Looked::Several(candidates)) if is_over => AttemptEnd::Unresolved {
                reason: "several runs may be it, or one without the marker".to_owned(),
                candidates,
            },
            Some(Looked::Incomplete) if is_over => AttemptEnd::Unresolved {
                reason: "the account has started too many runs since".to_owned(),
                candidates: Vec::new(),
            },
            None if is_given_up => AttemptEnd::Unresolved {
                reason: "dbt Cloud could not be asked".to_owned(),
                candidates: Vec::new(),
            },
            _ => {
                let looks = u32::try_from(attempt.looks).unwrap_or(0).min(16);
                let pause = self
                    .settings
                    .min_pause
                    .saturating_mul(1 << looks)
                    .min(self.settings.max_pause);
                self.postpone(attempt, pause).await;
                return Ok(Settled::Open);
            }
        };
        self.ledger.end(attempt.lease, &end, None).await?;
        Ok(Settled::Ended)
    }
}

/// Whether an attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Ended,
    Open,
}

impl DbtProvider {
    /// Looks once for the runs of attempts whose answers were lost, all of one account. Returns how many have ended.
    ///
    /// # Errors
    /// [`ProviderError`]; the attempts are looked for again.
    pub async fn resolve_triggers(&self, ctx: ClientContext, attempts: Vec<Attempt>) -> Result<usize, ProviderError> {
        let requests: Vec<Uuid> = attempts.iter().map(|attempt| attempt.request_uuid).collect();
        let subject =
            RowSubject::new(json!({ "request_uuids": requests })).job(attempts.first().and_then(|one| one.job_id));
        let starter = self.starter();
        self.provider_request(ctx, subject, move |call| async move {
            let result = Looks::new(&call, &starter, &attempts).look().await;
            let mut ended = 0;
            let (looked, failed) = match result {
                Ok(looked) => (looked.into_iter().map(Some).collect(), None),
                Err(error) => (vec![None; attempts.len()], Some(error)),
            };
            for (attempt, looked) in attempts.iter().zip(looked) {
                // The look began after the attempt was claimed.
                let settled = starter.settle(attempt, looked, attempt.now).await?;
                ended += usize::from(settled == Settled::Ended);
            }
            failed.map_or(Ok(ended), Err)
        })
        .await
    }
}

pub(super) fn unresolved(attempt: &Attempt, candidates: Vec<RunId>, source: Option<ApiError>) -> ProviderError {
    ProviderError::TriggerUnresolved(Box::new(TriggerUnresolved {
        request_uuid: attempt.request_uuid,
        job: attempt.job_id,
        marker: attempt.marker.clone(),
        candidates,
        until: attempt.deadline,
        source,
    }))
}

/// Pauses that double.
fn pauses(min: Duration, max: Duration) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(min), move |pause| Some((*pause * 2).min(max)))
}
