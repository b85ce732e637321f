//! What the events of runs say.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Run, Verdict};
use crate::RunId;

/// The data of an event of a run. Which fields it has depends on the event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"run_id": 70_403_104_000_901_i64, "status": "running", "previous": "queued"}))]
pub struct RunEventData {
    /// The run; every event has it but the `gap` of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, minimum = 1, required = false)]
    pub run_id: Option<RunId>,
    /// `run.created`, `run.status`, `run.ended`: `queued`, `starting`, `running`, `success`, `error`, `cancelled`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<String>,
    /// `run.status`: the status before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub previous: Option<String>,
    /// `run.ended`: how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verdict: Option<Verdict>,
    /// `run.created`, `run.status`, `run.ended`: the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub run: Option<Run>,
    /// `run.step`: the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub step: Option<StepState>,
    /// `run.log`: what came to the log of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<LogPart>,
    /// `gap`: part of the log of a step is missing. It is in `GET /runs/{run_id}/steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub withheld: Option<LogWithheld>,
    /// `gap` of a stream: events are missing, which are not kept any more. The stream goes on after this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resume_after: Option<i64>,
}

/// The state of a step.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StepState {
    /// From 1.
    pub index: u32,
    /// What it does.
    pub name: Option<String>,
    /// The words of a run's status, or `skipped`.
    pub status: String,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it finished.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A part of the log of a step.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LogPart {
    /// The step.
    pub step: u32,
    /// Where the text begins in the log, in bytes.
    pub offset: u64,
    /// The text.
    pub text: String,
}

/// A part of the log of a step that is not sent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LogWithheld {
    /// The step.
    pub step: u32,
    /// Where the missing part begins, in bytes.
    pub offset: u64,
    /// Why it is missing.
    pub reason: String,
}
