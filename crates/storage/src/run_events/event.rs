//! Events and where they belong.

use chrono::{DateTime, Utc};
use model::{AccountId, CompanyId, EnvironmentId, JobId, ProjectId, RunId};

/// The stream of the events of a company's runs in one account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The company.
    pub company_id: CompanyId,
    /// The host of the Administrative API.
    pub host: String,
    /// The account.
    pub account_id: AccountId,
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The run was seen for the first time.
    Created,
    /// Its status changed.
    Status,
    /// The status of one of its steps changed.
    Step,
    /// The log of one of its steps grew.
    Log,
    /// It has ended.
    Ended,
    /// Part of a log is missing.
    LogGap,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Status,
        Self::Step,
        Self::Log,
        Self::Ended,
        Self::LogGap,
    ];

    /// The spelling of the API and of the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "run.created",
            Self::Status => "run.status",
            Self::Step => "run.step",
            Self::Log => "run.log",
            Self::Ended => "run.ended",
            Self::LogGap => "gap",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An event before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRunEvent {
    /// What it says.
    pub kind: EventKind,
    /// The run.
    pub run_id: RunId,
    /// The project of the run.
    pub project_id: Option<ProjectId>,
    /// The job of the run.
    pub job_id: Option<JobId>,
    /// The environment of the run.
    pub environment_id: Option<EnvironmentId>,
    /// The credential by which the run was read.
    pub credential: String,
    /// The data: a JSON object.
    pub data: String,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// Its number in its stream, from 1.
    pub seq: i64,
    /// When it was stored, by the database's clock.
    pub at: DateTime<Utc>,
    /// What it says, and about which run.
    pub event: NewRunEvent,
}

/// Which events of a stream. An empty filter: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Those of one run.
    pub run_id: Option<RunId>,
    /// Those of one project.
    pub project_id: Option<ProjectId>,
    /// Those of one job.
    pub job_id: Option<JobId>,
    /// Those of one environment.
    pub environment_id: Option<EnvironmentId>,
    /// Those that were read by one of these credentials.
    pub credentials: Option<Vec<String>>,
}

impl EventFilter {
    /// Whether the event is one of them.
    pub fn includes(&self, event: &NewRunEvent) -> bool {
        self.run_id.is_none_or(|id| id == event.run_id)
            && (self.project_id.is_none() || self.project_id == event.project_id)
            && (self.job_id.is_none() || self.job_id == event.job_id)
            && (self.environment_id.is_none() || self.environment_id == event.environment_id)
            && self
                .credentials
                .as_ref()
                .is_none_or(|names| names.contains(&event.credential))
    }
}
