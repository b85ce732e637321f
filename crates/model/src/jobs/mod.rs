//! Jobs, with every field in the specification of `GET /api/v2/accounts/{id}/jobs/{id}/`.

mod trigger;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::IntoParams;

pub use trigger::{CAUSE_MAX_CHARS, TriggerJob};

use crate::comma_list::{comma_list, list_item};
use crate::{AccountId, EnvironmentId, JobId, ListFilter, ProjectId, RawJson, StateFilter, Timestamp, lenient};

lenient::noun! {
    /// A job of dbt Cloud: the definition, not its runs.
    #[schema(example = json!({
        "id": 70_403_103_940_001_i64, "account_id": 70_403_103_900_001_i64, "project_id": 70_403_103_920_001_i64,
        "environment_id": 70_403_103_930_001_i64, "name": "Nightly build", "description": "", "dbt_version": null,
        "raw_dbt_version": null, "deferring_environment_id": null, "deferring_job_definition_id": null,
        "execute_steps": ["dbt build"], "execution": {"timeout_seconds": 0},
        "force_node_selection": true, "generate_docs": true,
        "generate_sources": false, "run_generate_sources": false, "is_deferrable": false, "job_type": "scheduled",
        "lifecycle_webhooks": false, "lifecycle_webhooks_url": null, "run_compare_changes": false,
        "compare_changes_flags": "--select state:modified", "run_failure_count": 0, "run_lint": false,
        "errors_on_lint_failure": true, "cost_optimization_features": [],
        "settings": {"threads": 4, "target_name": "prod"}, "state": 1, "triggers_on_draft_pr": false,
        "triggers": {"github_webhook": false, "git_provider_webhook": false, "schedule": true, "on_merge": false,
            "custom_branch_only": null},
        "job_completion_trigger_condition": null,
        "schedule": {"cron": "0 2 * * *", "date": {"type": "every_day", "days": null, "cron": null},
            "time": {"type": "at_exact_hours", "hours": [2], "interval": null}},
        "cron_humanized": "At 02:00 AM", "next_run": "2026-03-20T02:00:00Z", "next_run_humanized": "14 hours",
        "created_at": "2024-03-19T11:57:15.559970Z", "updated_at": "2025-03-27T20:37:19.996618Z", "account": null,
        "project": null, "environment": null, "fusion_readiness": null, "custom_environment_variables": null,
        "most_recent_run": null, "most_recent_completed_run": null
    }))]
    pub struct Job {
        id: JobId as i64;
        account_id: AccountId as i64,
        project_id: ProjectId as i64,
        environment_id: EnvironmentId as i64,
        name: String,
        description: String,
        /// Overrides the environment's version of dbt.
        dbt_version: String,
        raw_dbt_version: String,
        deferring_environment_id: EnvironmentId as i64,
        deferring_job_definition_id: JobId as i64,
        /// The commands that it runs.
        execute_steps: Vec<String>,
        execution: JobExecution,
        /// Whether runs build all selected nodes, also unchanged ones. Not in dbt Cloud's specification.
        force_node_selection: bool,
        /// Whether each run ends with `dbt docs generate`.
        generate_docs: bool,
        generate_sources: bool,
        run_generate_sources: bool,
        is_deferrable: bool,
        /// `ci`, `scheduled`, `other`, `merge`, `exposure_sync`, `adaptive`, `hybrid`, or what dbt Cloud adds; it derives it
        /// from the triggers.
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
        /// 1: active, 2: deleted.
        state: i64,
        triggers_on_draft_pr: bool,
        triggers: JobTriggers,
        /// The other job whose completion starts a run, as dbt Cloud sends it.
        job_completion_trigger_condition: RawJson as Value,
        schedule: JobSchedule,
        cron_humanized: String,
        next_run: Timestamp as DateTime<Utc>,
        next_run_humanized: String,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        /// As dbt Cloud sends it, as are all related objects; null unless `include_related` names it.
        account: RawJson as Value,
        project: RawJson as Value,
        environment: RawJson as Value,
        fusion_readiness: RawJson as Value,
        custom_environment_variables: RawJson as Value,
        most_recent_run: RawJson as Value,
        most_recent_completed_run: RawJson as Value,
    }
}

lenient::part! {
    /// How a job is executed.
    pub struct JobExecution {
        /// The number of seconds after which a run is cancelled; 0: never.
        timeout_seconds: i64,
    }
}

lenient::part! {
    /// How dbt is called.
    pub struct JobSettings {
        /// The number of threads.
        threads: i64,
        /// The value of `{{ target.name }}`.
        target_name: String,
    }
}

lenient::part! {
    /// What starts runs automatically.
    pub struct JobTriggers {
        github_webhook: bool,
        git_provider_webhook: bool,
        /// Whether the schedule is on.
        schedule: bool,
        /// Whether a merge starts a run.
        on_merge: bool,
        /// Deprecated by dbt Cloud.
        custom_branch_only: bool,
    }
}

lenient::part! {
    /// When a job runs, if `triggers.schedule` is on.
    pub struct JobSchedule {
        /// The schedule as a cron expression, in UTC.
        cron: String,
        date: JobScheduleDate,
        time: JobScheduleTime,
    }
}

lenient::part! {
    /// On which days a job runs.
    pub struct JobScheduleDate {
        /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`.
        #[serde(rename = "type")]
        kind: String,
        /// 0 (Sunday) to 6, for `days_of_week`.
        days: Vec<i64>,
        /// For `custom_cron` and `interval_cron`.
        cron: String,
    }
}

lenient::part! {
    /// At which hours a job runs.
    pub struct JobScheduleTime {
        /// `every_hour` or `at_exact_hours`.
        #[serde(rename = "type")]
        kind: String,
        /// 0 to 23, UTC, for `at_exact_hours`.
        hours: Vec<i64>,
        /// Hours between two runs, for `every_hour`.
        interval: i64,
    }
}

/// Fields of a job as a caller gives them, by dbt Cloud's names: a whole definition, or the part to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct JobFields(pub Map<String, Value>);

/// Which jobs to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobFilter {
    /// Jobs of this project; several with commas between them.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_920_001_i64]))]
    pub project_id: Vec<ProjectId>,
    /// Jobs in this environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<i64>)]
    pub environment_id: Option<EnvironmentId>,
    /// The exact name.
    // dbt Cloud has no such filter: `name__icontains` narrows the list, and the names are compared here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part of the name, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_contains: Option<String>,
    /// The version of dbt, as dbt Cloud spells it; several with commas between them.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["latest"]))]
    pub dbt_version: Vec<String>,
    /// Whether the schedule is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<bool>,
    /// Whether dbt Cloud created the job for itself; `false` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_system: Option<bool>,
    /// Whether the job can run on the Fusion engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_fusion_ready: Option<bool>,
    /// `active` (the default), `deleted` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<StateFilter>)]
    pub state: Option<StateFilter>,
    /// A field of dbt Cloud to order by; `-id` for the newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "-id")]
    pub order_by: Option<String>,
    /// What to send with each job, in the field of that name: `environment`, `custom_environment_variables`,
    /// `most_recent_run`, `most_recent_completed_run`, `fusion_readiness`; several with commas between them.
    #[serde(default, deserialize_with = "comma_list", skip_serializing_if = "Vec::is_empty")]
    #[param(value_type = Option<Vec<JobRelated>>, style = Form, explode = false)]
    pub include_related: Vec<JobRelated>,
}

impl ListFilter<Job> for JobFilter {
    fn is_supported(&self) -> bool {
        self.name.is_none()
    }

    fn matches(&self, job: &Job) -> bool {
        self.name == job.name
    }
}

/// What to send with one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobOptions {
    /// What to send with the job, in the field of that name: `environment`, `custom_environment_variables`,
    /// `most_recent_run`, `most_recent_completed_run`, `fusion_readiness`; several with commas between them.
    #[serde(default, deserialize_with = "comma_list")]
    #[param(value_type = Option<Vec<JobRelated>>, style = Form, explode = false)]
    pub include_related: Vec<JobRelated>,
}

/// A related object that dbt Cloud sends with a job on request; the field of that name is null otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
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
    /// Every related object.
    pub const ALL: [Self; 5] = [
        Self::Environment,
        Self::CustomEnvironmentVariables,
        Self::MostRecentRun,
        Self::MostRecentCompletedRun,
        Self::FusionReadiness,
    ];

    /// The spelling of dbt Cloud and of the REST API.
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

list_item!(JobRelated);
