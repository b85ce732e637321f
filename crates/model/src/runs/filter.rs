//! The filter of the list of runs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{EnvironmentId, JobId, ListFilter, ProjectId, Run, RunId, RunStatus};

/// Which runs to list. An empty list of ids or statuses means: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunFilter {
    /// Runs of any of these projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub project_id: Vec<ProjectId>,
    /// Runs in that environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<EnvironmentId>,
    /// Runs of that job: dbt Cloud's `job_definition_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// These runs: dbt Cloud's `pk__in`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run_id: Vec<RunId>,
    /// Runs with a greater id: dbt Cloud's `id__gt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_id: Option<RunId>,
    /// Runs in any of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<RunStatus>,
    /// The time of creation.
    #[serde(skip_serializing_if = "Period::is_open")]
    pub created: Period,
    /// The time of the end; excludes unfinished runs.
    #[serde(skip_serializing_if = "Period::is_open")]
    pub finished: Period,
    /// The order.
    pub order_by: RunOrder,
    /// Related objects to send with each run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_related: Vec<RunRelated>,
}

impl ListFilter<Run> for RunFilter {}

/// A time span, both ends included, each of them possibly open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DateTime<Utc>>,
    /// The end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether both ends are open.
    pub fn is_open(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }
}

/// The orders of runs that dbt Cloud supports; `-` is descending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum RunOrder {
    /// Oldest first: dbt Cloud's own default.
    #[serde(rename = "id")]
    Id,
    /// Newest first: the gateway's default.
    #[default]
    #[serde(rename = "-id")]
    NewestFirst,
    /// By time of creation.
    #[serde(rename = "created_at")]
    CreatedAt,
    /// By time of creation, the latest first.
    #[serde(rename = "-created_at")]
    LatestCreated,
    /// By time of the end.
    #[serde(rename = "finished_at")]
    FinishedAt,
    /// By time of the end, the latest first.
    #[serde(rename = "-finished_at")]
    LatestFinished,
}

impl RunOrder {
    /// The spelling of dbt Cloud and of the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::NewestFirst => "-id",
            Self::CreatedAt => "created_at",
            Self::LatestCreated => "-created_at",
            Self::FinishedAt => "finished_at",
            Self::LatestFinished => "-finished_at",
        }
    }
}

/// A related object that dbt Cloud sends with a run on request; the field of that name is null otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunRelated {
    /// Why it was started, and with what.
    Trigger,
    /// The job's definition.
    Job,
    /// Who started and who cancelled it.
    Audit,
    /// The environment; not in lists.
    Environment,
    /// The steps with their logs, the debug logs cut to their last 1,000 lines; not in lists.
    RunSteps,
    /// The steps' whole debug logs; not in lists.
    DebugLogs,
}

impl RunRelated {
    /// What a list can include.
    pub const OF_LISTS: [Self; 3] = [Self::Trigger, Self::Job, Self::Audit];
    /// What a single run can include.
    pub const OF_ONE: [Self; 5] = [Self::Trigger, Self::Job, Self::Audit, Self::Environment, Self::RunSteps];

    /// dbt Cloud's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Job => "job",
            Self::Audit => "audit",
            Self::Environment => "environment",
            Self::RunSteps => "run_steps",
            Self::DebugLogs => "debug_logs",
        }
    }
}
