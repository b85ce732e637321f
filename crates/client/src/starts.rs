//! What starts a run: and, if its caller wants, waits for it.

use std::sync::Arc;

use model::{ClientContext, JobId, RequestType, RunId, RunOrigin, StartOptions, StartedRun, Target, TriggerJob};
use provider::{DbtProvider, ProviderError};

use storage::{RunKey, StreamKey};

use crate::listening::{RunWait, WaitOptions, stream_of};
use crate::shared::Shared;
use crate::{ClientError, DbtClient};

/// A run that was started.
#[derive(Debug)]
pub struct StartedAndWaited {
    /// The run, as it was last seen.
    pub started: StartedRun,
    /// Whether it has ended; `None`: the caller does not wait.
    pub is_over: Option<bool>,
}

impl DbtClient {
    /// Starts a run of a job. Every accepted call starts one, unless it repeats an idempotency key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trigger_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        trigger: TriggerJob,
        options: StartOptions,
        wait: Option<WaitOptions>,
    ) -> Result<StartedAndWaited, ClientError> {
        self.start(RequestType::TriggerJob, target, wait, async move |provider, ctx| {
            provider.trigger_job(ctx, job_id, trigger, options).await
        })
        .await
    }

    /// Starts a run of a job from the point of failure of its latest one, else a new one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rerun_job(
        self,
        target: impl Into<Target>,
        job_id: JobId,
        options: StartOptions,
        wait: Option<WaitOptions>,
    ) -> Result<StartedAndWaited, ClientError> {
        self.start(RequestType::RerunJob, target, wait, async move |provider, ctx| {
            provider.rerun_job(ctx, job_id, options).await
        })
        .await
    }

    /// Starts a run from the point of failure of this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retry_run(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        options: StartOptions,
        wait: Option<WaitOptions>,
    ) -> Result<StartedAndWaited, ClientError> {
        self.start(RequestType::RetryRun, target, wait, async move |provider, ctx| {
            provider.retry_run(ctx, run_id, options).await
        })
        .await
    }

    async fn start<Start, Answer>(
        self,
        request_type: RequestType,
        target: impl Into<Target>,
        wait: Option<WaitOptions>,
        start: Start,
    ) -> Result<StartedAndWaited, ClientError>
    where
        Start: FnOnce(DbtProvider, ClientContext) -> Answer,
        Answer: Future<Output = Result<StartedRun, ProviderError>>,
    {
        let (shared, owner) = (Arc::clone(&self.shared), self.owner());
        let (provider, ctx) = self.admit(request_type, target).await?;
        let stream = stream_of(ctx.caller().company_id, ctx.to());
        let Some(options) = wait else {
            let started = start(provider, ctx).await?;
            keep(&shared, stream, &started).await;
            return Ok(StartedAndWaited { started, is_over: None });
        };
        // Before the start: a run that was started is always answered.
        let _place = shared.shares.waits.try_take(&owner, 1)?;
        let wait = RunWait::new(Arc::clone(&shared), &ctx, options);
        let mut started = match start(provider, ctx).await {
            Ok(started) => started,
            Err(error) => {
                wait.not_started();
                return Err(error.into());
            }
        };
        keep(&shared, stream, &started).await;
        let run_id = started.run.id;
        let is_over = match wait.until_over(run_id, Some(started.run.clone())).await {
            Ok(waited) => {
                started.run = waited.run;
                waited.is_over
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    run_id = run_id.0,
                    "a run was started, and could not be waited for"
                );
                false
            }
        };
        Ok(StartedAndWaited {
            started,
            is_over: Some(is_over),
        })
    }
}

/// The run of a repeated request is not cancelled because its first caller disconnected.
async fn keep(shared: &Shared, stream: StreamKey, started: &StartedRun) {
    if started.origin != RunOrigin::Replayed {
        return;
    }
    let run = RunKey {
        stream,
        run_id: started.run.id,
    };
    if let Err(error) = shared.records.run_watches.keep_run(&run).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            run_id = run.run_id.0,
            "a run may be cancelled although it was asked for again"
        );
    }
}
