//! Other changes with an idempotency key: the first answer is kept, and a repeat gets it.

use std::time::Duration;

use model::Repeatable;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{KeyBegun, NewIdempotencyKey, StoredAnswer};

use super::attempt::is_definite;
use super::repeat::first_answer_to;
use super::starter::Starter;
use crate::ProviderError;

/// For how long a request counts as in progress; after that its process is dead.
const IN_PROGRESS: Duration = Duration::from_mins(15);

/// What a repeat may do where the first answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterLoss {
    /// Nothing: a second time would have a second effect.
    Refuse,
    /// The same again: a second time has no further effect.
    SendAgain,
}

impl Starter {
    /// Runs `work` unless its key was used before, and keeps its answer for the key.
    ///
    /// # Errors
    /// Those of `work` and of a repeated request.
    pub(crate) async fn once<T: Serialize + DeserializeOwned>(
        &self,
        key: Option<NewIdempotencyKey>,
        status_code: u16,
        after_loss: AfterLoss,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<Repeatable<T>, ProviderError> {
        let Some(key) = key else {
            return Ok(Repeatable::first(work.await?));
        };
        let takes_over = after_loss == AfterLoss::SendAgain;
        match self.ledger.begin_key(&key, IN_PROGRESS, takes_over).await? {
            KeyBegun::New => {}
            KeyBegun::Repeat(earlier) => {
                let answer = first_answer_to(earlier)?;
                let value = serde_json::from_str(&answer.body).map_err(|_| ProviderError::Panicked)?;
                return Ok(Repeatable::repeated(value));
            }
        }
        let result = work.await;
        let request = key.request_uuid;
        let ended = match &result {
            Ok(value) => {
                let body = serde_json::to_string(value).map_err(|_| ProviderError::Panicked)?;
                let answer = StoredAnswer { status_code, body };
                self.ledger.end_key(request, Some(&answer)).await
            }
            // The key stays, so that no repeat sends it again.
            Err(error) if !takes_over && is_lost(error) => self.ledger.leave_key(request).await,
            Err(_) => self.ledger.end_key(request, None).await,
        };
        if let Err(error) = ended {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the answer to an idempotency key was not kept"
            );
        }
        result.map(Repeatable::first)
    }
}

/// Whether the change may have been made.
fn is_lost(error: &ProviderError) -> bool {
    match error {
        ProviderError::Api(error) | ProviderError::Change(error) => !is_definite(error),
        _ => false,
    }
}
