//! A job of dbt Cloud, with every field that the specification of `GET /api/v2/accounts/{id}/jobs/{id}/` lists, and the
//! filters of its lists.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{AccountId, EnvironmentId, JobId, ProjectId, StateFilter, Timestamp, RawJson, lenient};

lenient::noun! {
    /// A job: the definition, not its runs. Only `id` is sure to be there.
    pub struct Job {
        id: JobId;
        account_id: AccountId,
        project_id: ProjectId,
        environment_id: EnvironmentId,
        name: String,
        description: String,
        dbt_version: String,
        raw_dbt_version: String,
        deferring_environment_id: EnvironmentId,
        deferring_job_definition_id: JobId,
        execute_steps: Vec<String>,
        execution: JobExecution,
        generate_docs: bool,
        generate_sources: bool,
        run_generate_sources: bool,
        is_deferrable: bool,
        /// `ci`, `scheduled`, `other`, `merge`, …; dbt Cloud derives it from the triggers.
        job_type: String,
        lifecycle_webhooks: bool,
        lifecycle_webhooks_url: String,
        run_compare_changes: bool,
        compare_changes_flags: String,
        run_failure_count: i64,
        run_lint: bool,
        errors_on_lint_failure: bool,
        cost_optimization_features: Vec<String>,
        settings: JobSettings,
        /// 1 is active, 2 is deleted.
        state: i64,
        triggers_on_draft_pr: bool,
        triggers: JobTriggers,
        job_completion_trigger_condition: RawJson,
        schedule: JobSchedule,
        cron_humanized: String,
        next_run: Timestamp,
        next_run_humanized: String,
        created_at: Timestamp,
        updated_at: Timestamp,
        account: RawJson,
        project: RawJson,
        environment: RawJson,
        fusion_readiness: RawJson,
        custom_environment_variables: RawJson,
        most_recent_run: RawJson,
        most_recent_completed_run: RawJson,
    }
}

lenient::part! {
    /// How a job is executed: after how many seconds a run is cancelled, 0 for never.
    pub struct JobExecution {
        timeout_seconds: i64,
    }
}

lenient::part! {
    /// How dbt is called.
    pub struct JobSettings {
        threads: i64,
        target_name: String,
    }
}

lenient::part! {
    /// What starts a run by itself.
    pub struct JobTriggers {
        github_webhook: bool,
        git_provider_webhook: bool,
        schedule: bool,
        on_merge: bool,
        custom_branch_only: bool,
    }
}

lenient::part! {
    /// When a scheduled job runs.
    pub struct JobSchedule {
        cron: String,
        date: JobScheduleDate,
        time: JobScheduleTime,
    }
}

lenient::part! {
    /// On which days.
    pub struct JobScheduleDate {
        /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`.
        #[serde(rename = "type")]
        kind: String,
        /// 0 is Sunday.
        days: Vec<i64>,
        cron: String,
    }
}

lenient::part! {
    /// At which hours.
    pub struct JobScheduleTime {
        /// `every_hour` or `at_exact_hours`.
        #[serde(rename = "type")]
        kind: String,
        /// In UTC.
        hours: Vec<i64>,
        interval: i64,
    }
}

/// Fields of a job as a caller gives them, by dbt Cloud's names: a whole definition, or the part to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JobFields(pub Map<String, Value>);

/// Which jobs to list, and in which order. An empty list means: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobFilter {
    /// Those of any of these projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub project_id: Vec<ProjectId>,
    /// Those of that environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<EnvironmentId>,
    /// The exact name; dbt Cloud has no such filter, so we narrow by `name__icontains` and compare here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, any case: dbt Cloud's `name__icontains`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// Any of these versions of dbt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dbt_version: Vec<String>,
    /// Whether the schedule is on: dbt Cloud's `triggers_schedule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<bool>,
    /// Whether dbt Cloud made it for itself; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_system: Option<bool>,
    /// Whether it can run on the Fusion engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_fusion_ready: Option<bool>,
    /// By soft deletion; absent means active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateFilter>,
    /// A field to order by, with `-` in front for descending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<String>,
    /// What to send with each job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_related: Vec<JobRelated>,
}

/// What dbt Cloud sends with a job when it is asked to; the fields of that name are null otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobRelated {
    /// The environment.
    Environment,
    /// The environment variables that the job sets.
    CustomEnvironmentVariables,
    /// The newest run.
    MostRecentRun,
    /// The newest run that has ended.
    MostRecentCompletedRun,
    /// Whether it can run on the Fusion engine.
    FusionReadiness,
}

impl JobRelated {
    /// All that can be asked for.
    pub const ALL: [Self; 5] = [
        Self::Environment,
        Self::CustomEnvironmentVariables,
        Self::MostRecentRun,
        Self::MostRecentCompletedRun,
        Self::FusionReadiness,
    ];

    /// dbt Cloud's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::CustomEnvironmentVariables => "custom_environment_variables",
            Self::MostRecentRun => "most_recent_run",
            Self::MostRecentCompletedRun => "most_recent_completed_run",
            Self::FusionReadiness => "fusion_readiness",
        }
    }
}
