//! Why a run failed.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ResultsFile, Run, RunStatus, RunStep};
use crate::{JobId, RunId, Timestamp};

/// How the run ended. `unfinished`: it is in progress or in an undocumented state, and may still fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Verdict {
    Failed,
    Cancelled,
    Succeeded,
    Unfinished,
}

impl Verdict {
    /// The verdict of a run in that status.
    pub fn of(status: Option<RunStatus>) -> Self {
        match status {
            Some(RunStatus::Error) => Self::Failed,
            Some(RunStatus::Cancelled) => Self::Cancelled,
            Some(RunStatus::Success) => Self::Succeeded,
            Some(RunStatus::Queued | RunStatus::Starting | RunStatus::Running | RunStatus::Unknown(_)) | None => {
                Self::Unfinished
            }
        }
    }
}

/// Why a run failed. What dbt Cloud does not have is listed in `not_available`, with the reason.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": 70_403_104_000_902_i64, "job_id": 70_403_103_940_005_i64, "verdict": "failed", "status": 20,
    "status_humanized": "Error", "status_message": "Failed in step 4: Invoke dbt with `dbt build`",
    "href": "https://ab123.us1.dbt.com/deploy/70403103900001/projects/70403103920002/runs/70403104000902/",
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
#[expect(missing_docs, reason = "ids and times of the run")]
pub struct RunFailure {
    #[schema(value_type = i64)]
    pub run_id: RunId,
    #[schema(value_type = Option<i64>)]
    pub job_id: Option<JobId>,
    pub verdict: Verdict,
    /// As in `GET /runs/{run_id}`.
    #[schema(value_type = Option<i32>)]
    pub status: Option<RunStatus>,
    pub status_humanized: Option<String>,
    /// dbt Cloud's own words, where it has any.
    pub status_message: Option<String>,
    /// dbt Cloud's page of the run.
    pub href: Option<String>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub finished_at: Option<Timestamp>,
    /// The last step that failed, or the one during which the run was cancelled.
    pub step: Option<FailedStep>,
    /// The names of the steps that were skipped because of it.
    pub skipped_steps: Vec<String>,
    /// The step's nodes that failed.
    pub results: Option<FailedNodes>,
    /// The end of the step's log.
    pub log_tail: Option<Excerpt>,
    /// What is not available; empty where nothing is missing.
    pub not_available: Vec<NotAvailable>,
}

/// A step of the run, without its logs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the fields of `RunStep`")]
pub struct FailedStep {
    /// From 1: the number that `step` of an artifact means.
    pub index: Option<u32>,
    pub name: Option<String>,
    /// The dbt command; null where it runs none.
    pub command: Option<String>,
    #[schema(value_type = Option<i32>)]
    pub status: Option<RunStatus>,
    pub status_humanized: Option<String>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub finished_at: Option<Timestamp>,
    /// `HH:MM:SS`
    pub duration: Option<String>,
}

/// The results of the step's nodes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FailedNodes {
    /// The artifact they are read from.
    pub artifact: ResultsFile,
    /// The number of nodes.
    pub count: usize,
    /// The number of failed nodes.
    pub failed_count: usize,
    /// The number of nodes that were skipped because of them.
    pub skipped_count: usize,
    /// The failed nodes, in dbt's order; at most `run_failure.max_nodes`.
    pub failed: Vec<FailedNode>,
}

/// A node that failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the fields are dbt's")]
pub struct FailedNode {
    pub unique_id: Option<String>,
    /// dbt's word: `error`, `fail`, `runtime error`, `partial success`.
    pub status: Option<String>,
    /// What went wrong; at most `run_failure.message_max_bytes` of it.
    pub message: Option<Excerpt>,
    /// The number of rows that failed a test.
    pub failures: Option<i64>,
    /// The table or view in the warehouse.
    pub relation_name: Option<String>,
    /// How long it ran, in seconds.
    pub execution_secs: Option<f64>,
}

/// A part of a text of dbt's, without terminal colours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the text")]
pub struct Excerpt {
    pub text: String,
    /// Whether there is more.
    pub is_cut: bool,
}

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ReportPart {
    Step,
    Results,
    Log,
}

/// A part of the report that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotAvailable {
    /// The part.
    pub what: ReportPart,
    /// The reason, in a sentence.
    pub why: String,
}

impl RunFailure {
    /// The report of a run, without step and results.
    pub fn new(run: Run) -> Self {
        Self {
            run_id: run.id,
            job_id: run.job_id.or(run.job_definition_id),
            verdict: Verdict::of(run.status),
            status: run.status,
            status_humanized: run.status_humanized,
            status_message: run.status_message,
            href: run.href,
            started_at: run.started_at,
            finished_at: run.finished_at,
            step: None,
            skipped_steps: Vec::new(),
            results: None,
            log_tail: None,
            not_available: Vec::new(),
        }
    }

    /// Adds a missing part.
    pub fn lacks(&mut self, what: ReportPart, why: impl Into<String>) {
        let why = why.into();
        self.not_available.push(NotAvailable { what, why });
    }
}

impl From<&RunStep> for FailedStep {
    fn from(step: &RunStep) -> Self {
        Self {
            index: step.index,
            name: step.name.clone(),
            command: step.command().map(str::to_owned),
            status: step.status,
            status_humanized: step.status_humanized.clone(),
            started_at: step.started_at,
            finished_at: step.finished_at,
            duration: step.duration.clone(),
        }
    }
}
