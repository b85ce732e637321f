//! Which runs to list, and in which order.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{EnvironmentId, JobId, ProjectId, RunStatus};

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
    /// Runs in any of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<RunStatus>,
    /// By when they were made.
    #[serde(skip_serializing_if = "Period::is_open")]
    pub created: Period,
    /// By when they ended, which drops those that have not.
    #[serde(skip_serializing_if = "Period::is_open")]
    pub finished: Period,
    /// The order.
    pub order_by: RunOrder,
    /// What to send with each run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_related: Vec<RunRelated>,
}

/// A time span, both ends included, each of them possibly open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<DateTime<Utc>>,
    /// Its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether it is all of time.
    pub fn is_open(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }
}

/// The orders that dbt Cloud knows for runs; `-` is descending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOrder {
    /// Oldest first: dbt Cloud's own default.
    #[serde(rename = "id")]
    Id,
    /// Newest first: ours.
    #[default]
    #[serde(rename = "-id")]
    NewestFirst,
    /// By when they were made.
    #[serde(rename = "created_at")]
    CreatedAt,
    /// By when they were made, the latest first.
    #[serde(rename = "-created_at")]
    LatestCreated,
    /// By when they ended.
    #[serde(rename = "finished_at")]
    FinishedAt,
    /// By when they ended, the latest first.
    #[serde(rename = "-finished_at")]
    LatestFinished,
}

impl RunOrder {
    /// dbt Cloud's spelling, which is ours as well.
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

/// What dbt Cloud sends with a run when it is asked to; the fields of that name are null otherwise.
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
    /// What can be asked for in a list.
    pub const OF_LISTS: [Self; 3] = [Self::Trigger, Self::Job, Self::Audit];
    /// What can be asked for with one run.
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
