//! A run of dbt Cloud, with every field that the specification of `GET /api/v2/accounts/{id}/runs/{id}/` lists.

use serde::{Deserialize, Serialize};

use crate::{AccountId, EnvironmentId, JobId, ProjectId, RunId, Timestamp, RawJson, lenient};

/// How far a run is. dbt Cloud writes a number; an unknown one is kept and counts as not finished.
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

    /// Whether the run has ended and will not change any more.
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

lenient::noun! {
    /// A run, as the Administrative API v2 answers it. Only `id` is sure to be there.
    pub struct Run {
        id: RunId;
        trigger_id: i64,
        account_id: AccountId,
        environment_id: EnvironmentId,
        project_id: ProjectId,
        job_definition_id: JobId,
        status: RunStatus,
        dbt_version: String,
        git_branch: String,
        git_sha: String,
        status_message: String,
        owner_thread_id: String,
        executed_by_thread_id: String,
        deferring_run_id: RunId,
        artifacts_saved: bool,
        artifact_s3_path: String,
        has_docs_generated: bool,
        has_sources_generated: bool,
        notifications_sent: bool,
        blocked_by: Vec<i64>,
        created_at: Timestamp,
        updated_at: Timestamp,
        dequeued_at: Timestamp,
        started_at: Timestamp,
        finished_at: Timestamp,
        last_checked_at: Timestamp,
        last_heartbeat_at: Timestamp,
        should_start_at: Timestamp,
        trigger: RawJson,
        job: RawJson,
        environment: RawJson,
        run_steps: Vec<RawJson>,
        deprecation: RawJson,
        status_humanized: String,
        in_progress: bool,
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
        retrying_run_id: RunId,
        can_retry: bool,
        retry_not_supported_reason: String,
        job_id: JobId,
        is_running: bool,
        href: String,
        used_repo_cache: bool,
        audit: RawJson,
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
