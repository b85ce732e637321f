//! Answers a request whose idempotency key was used before.

use model::{RunOrigin, StartedRun};
use storage::{AttemptEnd, Earlier, StoredAnswer};
use uuid::Uuid;

use super::look::{Looked, Looks};
use super::resolve::unresolved;
use super::starter::Starter;
use crate::ProviderError;
use crate::engine::Call;

/// The first answer to a key that was used before.
///
/// # Errors
/// The reason why there is none: [`ProviderError::IdempotencyMismatch`], [`ProviderError::IdempotencyInFlight`],
/// [`ProviderError::IdempotencyUnresolved`], [`ProviderError::IdempotencyNotReplayable`].
pub fn first_answer_to(earlier: Earlier) -> Result<StoredAnswer, ProviderError> {
    Err(match earlier {
        Earlier::Answered(answer) => return Ok(answer),
        Earlier::Differs(fields) => ProviderError::IdempotencyMismatch(fields),
        Earlier::NotReplayable(made) => ProviderError::IdempotencyNotReplayable(made),
        Earlier::InFlight(request) => ProviderError::IdempotencyInFlight(request),
        Earlier::Unresolved(request) => ProviderError::IdempotencyUnresolved(request),
    })
}

impl Starter {
    /// The answer to a repeated request; `None` if the first one has certainly started nothing.
    ///
    /// # Errors
    /// [`ProviderError::IdempotencyMismatch`], [`ProviderError::IdempotencyInFlight`],
    /// [`ProviderError::TriggerUnresolved`].
    pub(super) async fn repeat(&self, call: &Call, earlier: Earlier) -> Result<Option<StartedRun>, ProviderError> {
        if let Earlier::Unresolved(request) = earlier {
            return self.look_again(call, request).await;
        }
        let answer = first_answer_to(earlier)?;
        let run: model::Run = serde_json::from_str(&answer.body).map_err(|_| ProviderError::Panicked)?;
        call.set_run(run.id);
        Ok(Some(StartedRun {
            run,
            origin: RunOrigin::Replayed,
            replayed_status: Some(answer.status_code),
        }))
    }

    /// One more look for the run of that request.
    async fn look_again(&self, call: &Call, request: Uuid) -> Result<Option<StartedRun>, ProviderError> {
        let Some(attempt) = self.ledger.claim(request, self.settings.lease).await? else {
            return Err(ProviderError::IdempotencyInFlight(Some(request)));
        };
        if !attempt.is_sent {
            self.ledger.end(attempt.lease, &AttemptEnd::NotStarted, None).await?;
            return Ok(None);
        }
        let is_over = attempt.now >= attempt.deadline;
        let looked = Looks::new(call, self, std::slice::from_ref(&attempt)).look().await;
        let candidates = match looked.map(|mut all| all.pop()) {
            Ok(Some(Looked::Found { run, is_probable })) => {
                return self.adopt(call, &attempt, *run, is_probable).await.map(Some);
            }
            Ok(Some(Looked::Absent)) if is_over => {
                self.ledger.end(attempt.lease, &AttemptEnd::NotStarted, None).await?;
                return Ok(None);
            }
            Ok(Some(Looked::Several(candidates))) => candidates,
            Ok(_) => Vec::new(),
            Err(error) => {
                self.postpone(&attempt, self.settings.max_pause).await;
                return Err(error);
            }
        };
        if !is_over {
            self.postpone(&attempt, self.settings.max_pause).await;
            return Err(ProviderError::IdempotencyInFlight(Some(request)));
        }
        let end = AttemptEnd::Unresolved {
            reason: "several runs may be it, or one without the marker".to_owned(),
            candidates: candidates.clone(),
        };
        self.ledger.end(attempt.lease, &end, None).await?;
        Err(unresolved(&attempt, candidates, None))
    }
}
