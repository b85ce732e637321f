//! Runs, with every field in the specification of `GET /api/v2/accounts/{id}/runs/{id}/`.

mod events;
mod failure;
mod filter;
mod flags;
mod node_results;
mod progress;
mod retry;
mod steps;

use serde::{Deserialize, Serialize};

pub use events::{LogPart, LogWithheld, RunEventData, StepState};
pub use failure::{Excerpt, FailedNode, FailedNodes, FailedStep, NotAvailable, ReportPart, RunFailure, Verdict};
pub use filter::{Period, RunFilter, RunOrder, RunRelated};
pub use node_results::{FreshnessCriteria, FreshnessLimit, NodeResult, NodeResults, ResultsFile, ResultsMetadata};
pub use progress::{CurrentStep, RunProgress, UsualDuration};
pub use retry::{RetryPlan, RetryPreview};
pub use steps::{NoSteps, RunStep, RunStepCommand, RunStepInvocation};

use crate::{AccountId, EnvironmentId, JobId, ListItem, ProjectId, RawJson, RunId, Timestamp, lenient};

/// The status of a run. dbt Cloud writes a number; an unknown one is kept and counts as not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i32", into = "i32")]
pub enum RunStatus {
    /// 1
    Queued,
    /// 2
    Starting,
    /// 3
    Running,
    /// 10
    Success,
    /// 20
    Error,
    /// 30
    Cancelled,
    /// A number that the specification does not list.
    Unknown(i32),
}

impl RunStatus {
    /// Every status that the specification lists.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Success,
        Self::Error,
        Self::Cancelled,
    ];

    /// Whether the run has finished and will not change any more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }

    /// The lower-case English word, `unknown` for a number that the specification does not list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl From<i32> for RunStatus {
    fn from(code: i32) -> Self {
        match code {
            1 => Self::Queued,
            2 => Self::Starting,
            3 => Self::Running,
            10 => Self::Success,
            20 => Self::Error,
            30 => Self::Cancelled,
            other => Self::Unknown(other),
        }
    }
}

impl From<RunStatus> for i32 {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Queued => 1,
            RunStatus::Starting => 2,
            RunStatus::Running => 3,
            RunStatus::Success => 10,
            RunStatus::Error => 20,
            RunStatus::Cancelled => 30,
            RunStatus::Unknown(code) => code,
        }
    }
}

impl lenient::Field for RunStatus {}

/// By name or number.
impl ListItem for RunStatus {
    fn parse(text: &str) -> Option<Self> {
        let number: Option<i32> = text.parse().ok();
        let is_it = |status: &Self| number == Some(i32::from(*status)) || text.eq_ignore_ascii_case(status.name());
        Self::ALL.into_iter().find(is_it)
    }

    fn valid() -> String {
        let spellings = Self::ALL.map(|status| format!("{} ({})", status.name(), i32::from(status)));
        spellings.join(", ")
    }
}

lenient::noun! {
    /// A run of dbt Cloud: one execution of a job.
    #[schema(example = json!({
        "id": 70_403_104_000_901_i64, "trigger_id": 70_403_111_000_001_i64, "account_id": 70_403_103_900_001_i64,
        "environment_id": 70_403_103_930_001_i64, "project_id": 70_403_103_920_001_i64,
        "job_definition_id": 70_403_103_940_001_i64, "job_id": 70_403_103_940_001_i64, "status": 1,
        "status_humanized": "Queued", "is_complete": false, "is_success": false, "is_error": false,
        "is_cancelled": false, "in_progress": true, "created_at": "2026-03-19T11:57:15.559970Z",
        "updated_at": "2026-03-19T11:57:15.559970Z"
    }))]
    // `flags.rs` decodes it.
    #[serde(remote = "Self")]
    pub struct Run {
        id: RunId as i64;
        trigger_id: i64,
        account_id: AccountId as i64,
        environment_id: EnvironmentId as i64,
        project_id: ProjectId as i64,
        /// The job, by the name that dbt Cloud's lists filter by; the same as `job_id`.
        job_definition_id: JobId as i64,
        /// 1 queued, 2 starting, 3 running, 10 success, 20 error, 30 cancelled; other numbers are possible and not final.
        status: RunStatus as i32,
        dbt_version: String,
        git_branch: String,
        git_sha: String,
        status_message: String,
        owner_thread_id: String,
        executed_by_thread_id: String,
        deferring_run_id: RunId as i64,
        artifacts_saved: bool,
        artifact_s3_path: String,
        has_docs_generated: bool,
        has_sources_generated: bool,
        notifications_sent: bool,
        blocked_by: Vec<i64>,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// When the run left the queue.
        dequeued_at: Timestamp as DateTime<Utc>,
        /// When it started to execute.
        started_at: Timestamp as DateTime<Utc>,
        /// When it finished; may stay null on a cancelled run.
        finished_at: Timestamp as DateTime<Utc>,
        last_checked_at: Timestamp as DateTime<Utc>,
        last_heartbeat_at: Timestamp as DateTime<Utc>,
        should_start_at: Timestamp as DateTime<Utc>,
        /// As dbt Cloud sends it, as are all related objects.
        trigger: RawJson as Value,
        job: RawJson as Value,
        environment: RawJson as Value,
        run_steps: Vec<RawJson> as Vec<Value>,
        deprecation: RawJson as Value,
        status_humanized: String,
        /// This and the other flags follow from `status` if the specification lists it.
        in_progress: bool,
        /// Whether the run has finished.
        is_complete: bool,
        is_success: bool,
        is_error: bool,
        is_cancelled: bool,
        /// `HH:MM:SS`, as are the two durations below.
        duration: String,
        queued_duration: String,
        run_duration: String,
        duration_humanized: String,
        queued_duration_humanized: String,
        run_duration_humanized: String,
        created_at_humanized: String,
        finished_at_humanized: String,
        retrying_run_id: RunId as i64,
        can_retry: bool,
        retry_not_supported_reason: String,
        job_id: JobId as i64,
        is_running: bool,
        /// dbt Cloud's page of the run.
        href: String,
        used_repo_cache: bool,
        audit: RawJson as Value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_its_number() {
        for code in [1, 2, 3, 10, 20, 30, 42, -1] {
            assert_eq!(i32::from(RunStatus::from(code)), code);
        }
        assert!(
            !RunStatus::Unknown(42).is_terminal(),
            "an unknown status may still change"
        );
    }

    #[test]
    fn a_field_of_an_unexpected_type_reads_as_absent() {
        let run = r#"{"id": 70403110000000, "status": 3, "duration": 51, "blocked_by": null, "created_at": "soon",
            "a_field_of_tomorrow": {"x": 1}}"#;
        let run: Run = serde_json::from_str(run).unwrap();
        assert_eq!(
            (run.id, run.status),
            (RunId(70_403_110_000_000), Some(RunStatus::Running))
        );
        assert_eq!((run.duration, run.blocked_by, run.created_at), (None, None, None));
    }
}
