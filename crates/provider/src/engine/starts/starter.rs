//! Sends a POST that starts a run, at most once.

use std::sync::Arc;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use model::{ClientContext, IdempotencyKey, RequestType, Run, RunOrigin, StartedRun, Upstream};
use serde_json::{Value, json};
use storage::{Attempt, AttemptEnd, AttemptLease, Begun, NewAttempt, NewIdempotencyKey, StoredAnswer, TriggerLedger};

use super::attempt::is_definite;
use super::renewal::while_renewing;
use crate::engine::Call;
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError, TriggerSettings};

/// The status of the first answer of a request that starts a run.
pub(super) const CREATED: u16 = 201;

/// Starts runs through the ledger of attempts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Starter {
    pub(crate) ledger: Arc<dyn TriggerLedger>,
    pub(crate) settings: TriggerSettings,
}

/// A request that starts a run.
pub(crate) enum Starting {
    /// Its attempt is stored: it may be sent.
    New(Box<Attempt>),
    /// It repeats another, whose answer this is.
    Repeated(Box<StartedRun>),
}

impl DbtProvider {
    pub(crate) fn starter(&self) -> Starter {
        Starter {
            ledger: Arc::clone(&self.triggers),
            settings: self.settings.trigger,
        }
    }
}

impl Starter {
    /// The key of a request whose parsed fields these are, an object.
    pub(crate) fn key(&self, ctx: &ClientContext, key: IdempotencyKey, mut fields: Value) -> NewIdempotencyKey {
        fields["account_id"] = json!(ctx.account_id());
        fields["credential"] = json!(ctx.upstream().name);
        let (by, request) = (ctx.caller().api_key_id, ctx.request_uuid());
        NewIdempotencyKey::new(by, key, request, ctx.request_type(), fields, self.settings.key_ttl)
    }

    /// Stores the attempt before anything is sent; or answers a repeated request.
    ///
    /// # Errors
    /// [`ProviderError::Ledger`]: dbt Cloud was not contacted; those of a repeat.
    pub(crate) async fn begin(
        &self,
        call: &Call,
        attempt: &NewAttempt,
        key: Option<&NewIdempotencyKey>,
    ) -> Result<Starting, ProviderError> {
        loop {
            match self.ledger.begin(attempt, key).await? {
                Begun::New(attempt) => return Ok(Starting::New(attempt)),
                Begun::Repeat(earlier) => {
                    if let Some(run) = self.repeat(call, earlier).await? {
                        return Ok(Starting::Repeated(Box::new(run)));
                    }
                    // The first attempt has certainly started nothing: this request may.
                }
            }
        }
    }

    /// Stores the attempt, then runs `work` for it while its lease is renewed; or answers a repeated request.
    ///
    /// # Errors
    /// Those of [`Self::begin`] and of `work`.
    pub(crate) async fn attempt<Working>(
        &self,
        call: &Call,
        new: &NewAttempt,
        key: Option<&NewIdempotencyKey>,
        work: impl FnOnce(Attempt) -> Working,
    ) -> Result<StartedRun, ProviderError>
    where
        Working: Future<Output = Result<StartedRun, ProviderError>>,
    {
        match self.begin(call, new, key).await? {
            Starting::New(attempt) => {
                let lease = attempt.lease;
                self.holding(lease, Box::pin(work(*attempt))).await
            }
            Starting::Repeated(run) => Ok(*run),
        }
    }

    /// Runs `work` while the lease of the attempt is renewed.
    pub(crate) async fn holding<T>(&self, lease: AttemptLease, work: impl Future<Output = T>) -> T {
        let renew = || self.ledger.renew(lease, self.settings.lease);
        while_renewing("attempt", self.settings.lease, renew, work).await
    }

    /// Sends the POST of the attempt. A definite answer ends the attempt; a lost one is resolved by looking.
    ///
    /// # Errors
    /// What dbt Cloud refused; [`ProviderError::TriggerUnresolved`].
    pub(crate) async fn send<'a, Answer>(
        &self,
        call: &'a Call,
        operation: RequestType,
        attempt: &Attempt,
        send: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream) -> Answer,
    ) -> Result<StartedRun, ProviderError>
    where
        Answer: Future<Output = Result<ApiResponse<Run>, ApiError>>,
    {
        match call.exchange(operation, Why::Asked, send).await {
            Ok(run) => {
                call.set_run(run.id);
                self.confirm(attempt, &run).await;
                Ok(StartedRun::new(run, RunOrigin::Started))
            }
            Err(error) if is_definite(&error) => Err(self.not_sent(attempt, error.into()).await),
            Err(error) => self.resolve(call, attempt, error).await,
        }
    }

    /// Records that dbt Cloud answered with the run. A failure is only logged: the attempt is then looked for, and found.
    pub(crate) async fn confirm(&self, attempt: &Attempt, run: &Run) {
        let confirmed = async {
            let answer = first_answer(run, CREATED)?;
            let end = AttemptEnd::Confirmed(run.id);
            Ok::<_, ProviderError>(self.ledger.end(attempt.lease, &end, Some(&answer)).await?)
        };
        if let Err(error) = confirmed.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a started run was not recorded"
            );
        }
    }

    /// Ends an attempt that has started nothing, and forgets its key. Returns the error.
    pub(crate) async fn not_sent(&self, attempt: &Attempt, error: ProviderError) -> ProviderError {
        if let Err(failed) = self.ledger.end(attempt.lease, &AttemptEnd::Failed, None).await {
            // It is then looked for, and not found.
            tracing::warn!(
                error = &failed as &dyn std::error::Error,
                "the end of an attempt was not recorded"
            );
        }
        error
    }

    /// Ends an attempt that sent nothing, with another run as the answer to its key.
    pub(crate) async fn reused(&self, attempt: &Attempt, run: Run) -> Result<StartedRun, ProviderError> {
        let answer = first_answer(&run, 200)?;
        self.ledger
            .end(attempt.lease, &AttemptEnd::Failed, Some(&answer))
            .await?;
        Ok(StartedRun::new(run, RunOrigin::Reused))
    }
}

/// A run as the first answer to a key.
pub(super) fn first_answer(run: &Run, status_code: u16) -> Result<StoredAnswer, ProviderError> {
    // Typed fields and raw JSON always serialise.
    let body = serde_json::to_string(run).map_err(|_| ProviderError::Panicked)?;
    Ok(StoredAnswer { status_code, body })
}
