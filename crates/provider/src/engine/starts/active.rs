//! The active runs of a job, and what a new trigger does with them.

use dbt_api::ApiError;
use model::{
    DBT_PAGE_LIMIT, IfRunning, JobId, RequestType, Run, RunFilter, RunId, RunOrder, RunRelated, RunStatus, Slice,
    TriggerJob,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::starter::Starter;
use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// The active runs of a job.
#[derive(Debug)]
pub(crate) struct ActiveRuns {
    job: JobId,
    /// Queued, starting or running, newest first.
    pub(crate) runs: Vec<Run>,
    /// Requests that may have started a run which dbt Cloud does not show yet.
    pub(crate) unseen: Vec<Uuid>,
}

/// What a trigger does with the active runs.
pub(crate) enum Decision<'a> {
    /// It starts a run.
    Start,
    /// It returns this one.
    Reuse(&'a Run),
    /// It is refused.
    Reject,
    /// It cancels these, which have not begun, and then starts one.
    CancelThenStart(Vec<RunId>),
}

/// What happened to the active runs.
pub(crate) enum Considered {
    /// It starts a run.
    Start,
    /// It returns this active run.
    Reuse(Box<Run>),
}

impl ActiveRuns {
    /// Reads them from dbt Cloud, and from the gateway's own attempts other than `request`: dbt Cloud's lists lag, so those
    /// count for a while, listed or not.
    pub(crate) async fn read(
        call: &Call,
        starter: &Starter,
        host: &str,
        job: JobId,
        request: Uuid,
    ) -> Result<Self, ProviderError> {
        let filter = &RunFilter {
            job_id: Some(job),
            status: vec![RunStatus::Queued, RunStatus::Starting, RunStatus::Running],
            order_by: RunOrder::NewestFirst,
            include_related: vec![RunRelated::Trigger],
            ..RunFilter::default()
        };
        let slice = Slice {
            offset: 0,
            limit: DBT_PAGE_LIMIT,
        };
        let listed = call
            .exchange(RequestType::ListRuns, Why::BeforeChange, move |api, to| {
                api.list_runs(to, filter, slice)
            })
            .await?;
        let mut active = Self {
            job,
            runs: listed.items,
            unseen: Vec::new(),
        };
        let since = starter.settings.unlisted;
        let recent = starter
            .ledger
            .recent(host, call.account_id(), job, since, request)
            .await?;
        for recent in recent {
            match recent.run_id {
                Some(id) if active.runs.iter().any(|run| run.id == id) => {}
                Some(id) => match read_run(call, id).await {
                    Ok(run) if run.status.is_some_and(RunStatus::is_terminal) => {}
                    Ok(run) => active.runs.push(run),
                    Err(ApiError::NotFound { .. }) => active.unseen.push(recent.request_uuid),
                    Err(error) => return Err(error.into()),
                },
                None => active.unseen.push(recent.request_uuid),
            }
        }
        active.runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        Ok(active)
    }

    /// What a trigger does with them by `mode`.
    pub(crate) fn decide(&self, trigger: &TriggerJob, mode: IfRunning) -> Decision<'_> {
        let is_free = self.runs.is_empty() && self.unseen.is_empty();
        match mode {
            IfRunning::Queue => Decision::Start,
            _ if is_free => Decision::Start,
            IfRunning::Reject => Decision::Reject,
            IfRunning::Reuse => self.same_as(trigger).map_or(Decision::Reject, Decision::Reuse),
            IfRunning::CancelQueued => {
                let queued = self.runs.iter().filter(|run| is_queued(run));
                Decision::CancelThenStart(queued.map(|run| run.id).collect())
            }
        }
    }

    /// The newest one with the same overrides.
    fn same_as(&self, trigger: &TriggerJob) -> Option<&Run> {
        let wanted = overrides(json!(trigger));
        self.runs.iter().find(|run| {
            let raw = run.trigger.as_ref();
            let asked = raw.and_then(|raw| serde_json::from_str(raw.as_str()).ok());
            asked.is_some_and(|asked| overrides(asked) == wanted)
        })
    }

    fn conflict(self) -> ProviderError {
        ProviderError::RunActive {
            job: self.job,
            runs: self.runs.into_iter().map(|run| run.id).collect(),
            requests: self.unseen,
        }
    }
}

/// Does with the active runs what `mode` says.
///
/// # Errors
/// [`ProviderError::RunActive`]; those of the exchanges.
pub(crate) async fn consider(
    call: &Call,
    active: ActiveRuns,
    trigger: &TriggerJob,
    mode: IfRunning,
) -> Result<Considered, ProviderError> {
    match active.decide(trigger, mode) {
        Decision::Start => {}
        Decision::Reuse(run) => return Ok(Considered::Reuse(Box::new(run.clone()))),
        Decision::Reject => return Err(active.conflict()),
        Decision::CancelThenStart(queued) => {
            for id in queued {
                cancel_queued(call, id).await?;
            }
        }
    }
    Ok(Considered::Start)
}

/// Cancels a run that has not begun; it is read again just before, since dbt Cloud cannot cancel on a condition.
async fn cancel_queued(call: &Call, id: RunId) -> Result<(), ProviderError> {
    match read_run(call, id).await {
        Ok(run) if is_queued(&run) => {}
        Ok(_) | Err(ApiError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let cancelled = call
        .exchange_about(id, RequestType::CancelRun, Why::CancelQueued, move |api, to| {
            api.cancel_run(to, id)
        })
        .await;
    match cancelled {
        Ok(_) => Ok(()),
        // It began or ended meanwhile.
        Err(error)
            if error
                .status()
                .is_some_and(|status| [400, 404, 409, 422].contains(&status.as_u16())) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn read_run(call: &Call, id: RunId) -> Result<Run, ApiError> {
    call.exchange(RequestType::GetRun, Why::BeforeChange, move |api, to| {
        api.get_run(to, id, &[RunRelated::Trigger])
    })
    .await
}

fn is_queued(run: &Run) -> bool {
    matches!(run.status, Some(RunStatus::Queued | RunStatus::Starting))
}

/// What a trigger asks besides its cause: its fields that are not null.
fn overrides(trigger: Value) -> Map<String, Value> {
    let Value::Object(fields) = trigger else {
        return Map::new();
    };
    let is_override =
        |name: &str| name.ends_with("_override") || name.starts_with("git_") || name.ends_with("_pull_request_id");
    let asked = fields
        .into_iter()
        .filter(|(name, value)| is_override(name) && !value.is_null());
    asked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_compared_without_the_cause_and_without_nulls() {
        let asked = TriggerJob {
            cause: "one".to_owned(),
            git_branch: Some("main".to_owned()),
            steps_override: Some(vec!["dbt build".to_owned()]),
            ..TriggerJob::default()
        };
        let shown = json!({"id": 1, "cause": "another", "git_branch": "main", "git_sha": null, "job_definition_id": 7,
            "steps_override": ["dbt build"], "schema_override": null});
        assert_eq!(overrides(json!(asked)), overrides(shown));
        assert_ne!(overrides(json!(asked)), overrides(json!({"git_branch": "main"})));
    }
}
