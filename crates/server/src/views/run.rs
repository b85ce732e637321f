//! Runs.

use model::{RawJson, Timestamp};

super::view! {
    /// A run of dbt Cloud: one execution of a job.
    #[schema(example = json!({
        "id": 70_403_110_000_001_i64, "trigger_id": 70_403_111_000_001_i64, "account_id": 70_403_100_000_001_i64,
        "environment_id": 70_403_106_000_001_i64, "project_id": 70_403_103_000_001_i64,
        "job_definition_id": 70_403_107_000_001_i64, "job_id": 70_403_107_000_001_i64, "status": 1,
        "status_humanized": "Queued", "is_complete": false, "is_success": false, "is_error": false,
        "is_cancelled": false, "in_progress": true, "created_at": "2026-03-19T11:57:15.559970Z",
        "updated_at": "2026-03-19T11:57:15.559970Z"
    }))]
    pub struct RunView from Run {
        id: i64;
        trigger_id: i64,
        account_id: i64,
        environment_id: i64,
        project_id: i64,
        /// The job, by the name that dbt Cloud's lists filter by; the same as `job_id`.
        job_definition_id: i64,
        /// 1 queued, 2 starting, 3 running, 10 success, 20 error, 30 cancelled; other numbers may come and are not final.
        status: i32,
        dbt_version: String,
        git_branch: String,
        git_sha: String,
        status_message: String,
        owner_thread_id: String,
        executed_by_thread_id: String,
        deferring_run_id: i64,
        artifacts_saved: bool,
        artifact_s3_path: String,
        has_docs_generated: bool,
        has_sources_generated: bool,
        notifications_sent: bool,
        blocked_by: Vec<i64>,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// When the run was picked up.
        dequeued_at: Timestamp as DateTime<Utc>,
        /// When it began to execute.
        started_at: Timestamp as DateTime<Utc>,
        /// When it ended; may stay null on a cancelled run.
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
        in_progress: bool,
        /// Whether the run has ended, well or not.
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
        retrying_run_id: i64,
        can_retry: bool,
        retry_not_supported_reason: String,
        job_id: i64,
        is_running: bool,
        /// dbt Cloud's own page of the run.
        href: String,
        used_repo_cache: bool,
        audit: RawJson as Value,
    }
}
