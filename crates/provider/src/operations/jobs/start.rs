//! Starting a run of a job.

use model::{
    ClientContext, IfRunning, JobId, RequestType, Run, StartDecision, StartOptions, StartPreview, StartedRun,
    TriggerJob,
};
use serde_json::json;
use storage::{Attempt, NewAttempt, StartKind};

use crate::engine::starts::{ActiveRuns, Considered, Decision, Starter, Subject, consider, marked};
use crate::engine::{Call, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// Starts a run of a job. Sent to dbt Cloud at most once; if the answer is lost, the run is looked for.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::TriggerUnresolved`], [`ProviderError::RunActive`], those of a repeated request.
    pub async fn trigger_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        order: TriggerJob,
        options: StartOptions,
    ) -> Result<StartedRun, ProviderError> {
        let starter = self.starter();
        let mode = options.if_running;
        let (sent, marker) = if starter.settings.marks {
            let (sent, marker) = marked(ctx.stamp(), &order);
            (sent, Some(marker))
        } else {
            (order.clone(), None)
        };
        let subject = Subject {
            body: json!(order),
            cause: Some(sent.cause.clone()),
            marker,
            ..Subject::without_body(StartKind::Trigger, Some(job_id), None)
        };
        let new = NewAttempt {
            is_sent: mode == IfRunning::Queue,
            ..subject.attempt(&ctx, &starter.settings)
        };
        let key = options.idempotency_key.map(|key| {
            let mut fields = json!(order);
            fields["job_id"] = json!(job_id);
            fields["if_running"] = json!(mode);
            starter.key(&ctx, key, fields)
        });
        let mut row = args!(job_id, order).job(job_id);
        if mode != IfRunning::Queue {
            row.args["if_running"] = json!(mode);
        }
        let row = row.keyed(key.as_ref());
        self.provider_request(ctx, row, move |call| async move {
            let (starter, call, order, sent) = (&starter, &call, &order, &sent);
            let starting =
                move |attempt| async move { start(starter, call, &attempt, job_id, order, sent, mode).await };
            starter.attempt(call, &new, key.as_ref(), starting).await
        })
        .await
    }

    /// What [`Self::trigger_job`] would do. Nothing is sent that starts or cancels a run.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn preview_trigger(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        order: TriggerJob,
        if_running: IfRunning,
    ) -> Result<StartPreview, ProviderError> {
        let (starter, request) = (self.starter(), ctx.request_uuid());
        let host = ctx.upstream().admin_url.host_str().unwrap_or_default().to_owned();
        let row = args!(job_id, order, if_running).job(job_id);
        self.provider_request(ctx, row, move |call| async move {
            let active = ActiveRuns::read(&call, &starter, &host, job_id, request).await?;
            let (mut would_reuse, mut would_cancel) = (None, Vec::new());
            let decision = match active.decide(&order, if_running) {
                Decision::Start => StartDecision::Start,
                Decision::Reject => StartDecision::Reject,
                Decision::Reuse(run) => {
                    would_reuse = Some(run.id);
                    StartDecision::Reuse
                }
                Decision::CancelThenStart(queued) => {
                    would_cancel = queued;
                    StartDecision::CancelThenStart
                }
            };
            Ok(StartPreview {
                job_id,
                request: order,
                active_runs: active.runs,
                decision,
                would_reuse,
                would_cancel,
            })
        })
        .await
    }

    /// Starts a run of a job from the point of failure of its latest run, or a plain new run where that did not fail. Sent
    /// to dbt Cloud at most once; if the answer is lost, the run is looked for.
    ///
    /// # Errors
    /// As [`Self::trigger_job`].
    pub async fn rerun_job(
        &self,
        ctx: ClientContext,
        job_id: JobId,
        options: StartOptions,
    ) -> Result<StartedRun, ProviderError> {
        let starter = self.starter();
        let new = Subject::without_body(StartKind::Rerun, Some(job_id), None).attempt(&ctx, &starter.settings);
        let fields = json!({ "job_id": job_id });
        let key = options.idempotency_key.map(|key| starter.key(&ctx, key, fields));
        let row = args!(job_id).job(job_id).keyed(key.as_ref());
        self.provider_request(ctx, row, move |call| async move {
            let (starter, call) = (&starter, &call);
            let rerunning = move |attempt: Attempt| async move {
                let rerun = RequestType::RerunJob;
                starter
                    .send(call, rerun, &attempt, move |api, to| api.rerun_job(to, job_id))
                    .await
            };
            starter.attempt(call, &new, key.as_ref(), rerunning).await
        })
        .await
    }
}

/// Looks at the active runs where that is asked, then sends the trigger.
async fn start(
    starter: &Starter,
    call: &Call,
    attempt: &Attempt,
    job: JobId,
    order: &TriggerJob,
    sent: &TriggerJob,
    mode: IfRunning,
) -> Result<StartedRun, ProviderError> {
    let trigger = async || {
        let sending = starter.send(call, RequestType::TriggerJob, attempt, move |api, to| {
            api.trigger_job(to, job, sent)
        });
        sending.await
    };
    if mode == IfRunning::Queue {
        return trigger().await;
    }
    let mut has_sent = false;
    let acting = async {
        let active = ActiveRuns::read(call, starter, &attempt.host, job, attempt.request_uuid).await?;
        match consider(call, active, order, mode).await? {
            Considered::Reuse(run) => {
                call.set_run(run.id);
                // As in dbt Cloud's answer to a POST; it may hold secrets, and the answer is stored.
                let run = Run { trigger: None, ..*run };
                starter.reused(attempt, run).await
            }
            Considered::Start => {
                if !starter
                    .ledger
                    .mark_sent(attempt.lease, starter.settings.horizon)
                    .await?
                {
                    return Err(ProviderError::IdempotencyInFlight(Some(attempt.request_uuid)));
                }
                has_sent = true;
                trigger().await
            }
        }
    };
    let lock = (attempt.host.as_str(), attempt.account_id, job);
    let done = starter
        .with_job_locked(lock, attempt.request_uuid, Box::pin(acting))
        .await;
    match done {
        Err(error) if !has_sent => Err(starter.not_sent(attempt, error).await),
        done => done,
    }
}
