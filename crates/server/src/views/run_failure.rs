//! Why a run failed.

use chrono::{DateTime, Utc};
use model::{Excerpt, FailedNode, FailedNodes, NotAvailable, RunFailure, RunStep, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a run failed, as far as dbt Cloud tells. What could not be had stands in `not_available`, with the reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": 70_403_110_000_001_i64, "job_id": 70_403_107_000_001_i64, "verdict": "failed", "status": 20,
    "status_humanized": "Error", "status_message": "Failed in step 4: Invoke dbt with `dbt build`",
    "href": "https://ab123.us1.dbt.com/deploy/70403100000001/projects/70403103000001/runs/70403110000001/",
    "started_at": "2026-03-19T02:00:05.559970Z", "finished_at": "2026-03-19T02:01:12.559970Z",
    "step": {"index": 4, "name": "Invoke dbt with `dbt build`", "command": "dbt build", "status": 20,
        "status_humanized": "Error", "started_at": "2026-03-19T02:00:30.559970Z",
        "finished_at": "2026-03-19T02:01:12.559970Z", "duration": "00:00:42"},
    "skipped_steps": ["Invoke dbt with `dbt docs generate`"],
    "results": {"artifact": "run_results.json", "count": 13, "failed_count": 1, "skipped_count": 1, "failed": [{
        "unique_id": "test.shop.not_null_customers_email.d7cf761533", "status": "fail",
        "message": {"text": "Got 1 result, configured to fail if != 0", "is_cut": false}, "failures": 1,
        "relation_name": null, "execution_secs": 0.01}]},
    "log_tail": {"text": "02:01:12  Done. PASS=11 WARN=0 ERROR=1 SKIP=1 TOTAL=13", "is_cut": true},
    "not_available": []
}))]
pub(crate) struct RunFailureView {
    run_id: i64,
    job_id: Option<i64>,
    verdict: VerdictView,
    /// As in `GET /runs/{run_id}`.
    status: Option<i32>,
    status_humanized: Option<String>,
    /// dbt Cloud's own words, where it has any.
    status_message: Option<String>,
    /// dbt Cloud's own page of the run.
    href: Option<String>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// The last step that failed, or the one during which the run was cancelled.
    step: Option<FailedStepView>,
    /// The steps that did not run because of it, by their names.
    skipped_steps: Vec<String>,
    /// Which of the step's nodes failed.
    results: Option<FailedNodesView>,
    /// The end of the step's log.
    log_tail: Option<ExcerptView>,
    /// What could not be had; empty where nothing is missing.
    not_available: Vec<NotAvailableView>,
}

/// What became of the run. `unfinished`: it goes on, or is in a state that is not documented, and may fail yet.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerdictView {
    Failed,
    Cancelled,
    Succeeded,
    Unfinished,
}

/// A step of the run, without its logs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedStepView {
    /// From 1: the number that `step` of an artifact means.
    index: Option<u32>,
    name: Option<String>,
    /// The dbt command; null where it runs none.
    command: Option<String>,
    status: Option<i32>,
    status_humanized: Option<String>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// `HH:MM:SS`
    duration: Option<String>,
}

/// How the nodes of the step fared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedNodesView {
    /// The artifact that says so: `run_results.json`, or `sources.json` of `dbt source freshness`.
    artifact: &'static str,
    /// How many nodes there are in all.
    count: usize,
    /// How many failed.
    failed_count: usize,
    /// How many did not run because of them.
    skipped_count: usize,
    /// Those that failed, in dbt's order; the first ones, where there are more than `run_failure.max_nodes`.
    failed: Vec<FailedNodeView>,
}

/// A node that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedNodeView {
    unique_id: Option<String>,
    /// dbt's word: `error`, `fail`, `runtime error`, `partial success`.
    status: Option<String>,
    /// What went wrong; at most `run_failure.message_max_bytes` of it.
    message: Option<ExcerptView>,
    /// How many rows failed a test.
    failures: Option<i64>,
    /// The table or view, as the warehouse knows it.
    relation_name: Option<String>,
    /// How long it ran, in seconds.
    execution_secs: Option<f64>,
}

/// A part of a text of dbt's, without terminal colours.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExcerptView {
    text: String,
    /// Whether there is more.
    is_cut: bool,
}

/// Something that would have told more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotAvailableView {
    /// `step`, `results` or `log`.
    what: &'static str,
    /// Why not, in a sentence for people.
    why: String,
}

impl From<RunFailure> for RunFailureView {
    fn from(failure: RunFailure) -> Self {
        let run = failure.run;
        Self {
            run_id: run.id.into(),
            job_id: run.job_id.or(run.job_definition_id).map(Into::into),
            verdict: failure.verdict.into(),
            status: run.status.map(Into::into),
            status_humanized: run.status_humanized,
            status_message: run.status_message,
            href: run.href,
            started_at: run.started_at.map(Into::into),
            finished_at: run.finished_at.map(Into::into),
            step: failure.step.map(Into::into),
            skipped_steps: failure.skipped_steps,
            results: failure.results.map(Into::into),
            log_tail: failure.log_tail.map(Into::into),
            not_available: failure.not_available.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Failed => Self::Failed,
            Verdict::Cancelled => Self::Cancelled,
            Verdict::Succeeded => Self::Succeeded,
            Verdict::Unfinished => Self::Unfinished,
        }
    }
}

impl From<RunStep> for FailedStepView {
    fn from(step: RunStep) -> Self {
        Self {
            command: step.command().map(str::to_owned),
            index: step.index,
            name: step.name,
            status: step.status.map(Into::into),
            status_humanized: step.status_humanized,
            started_at: step.started_at.map(Into::into),
            finished_at: step.finished_at.map(Into::into),
            duration: step.duration,
        }
    }
}

impl From<FailedNodes> for FailedNodesView {
    fn from(nodes: FailedNodes) -> Self {
        Self {
            artifact: nodes.file.path(),
            count: nodes.count,
            failed_count: nodes.failed_count,
            skipped_count: nodes.skipped_count,
            failed: nodes.failed.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<FailedNode> for FailedNodeView {
    fn from(node: FailedNode) -> Self {
        Self {
            unique_id: node.unique_id,
            status: node.status,
            message: node.message.map(Into::into),
            failures: node.failures,
            relation_name: node.relation_name,
            execution_secs: node.execution_secs,
        }
    }
}

impl From<Excerpt> for ExcerptView {
    fn from(excerpt: Excerpt) -> Self {
        let Excerpt { text, is_cut } = excerpt;
        Self { text, is_cut }
    }
}

impl From<NotAvailable> for NotAvailableView {
    fn from(missing: NotAvailable) -> Self {
        let NotAvailable { what, why } = missing;
        Self { what, why }
    }
}
