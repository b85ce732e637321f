//! Jobs.

use model::{RawJson, Timestamp};

super::view! {
    /// A job of dbt Cloud: the definition, not its runs.
    #[schema(example = json!({
        "id": 70_403_107_000_001_i64, "account_id": 70_403_100_000_001_i64, "project_id": 70_403_103_000_001_i64,
        "environment_id": 70_403_106_000_001_i64, "name": "Nightly build", "description": "", "dbt_version": null,
        "raw_dbt_version": null, "deferring_environment_id": null, "deferring_job_definition_id": null,
        "execute_steps": ["dbt build"], "execution": {"timeout_seconds": 0}, "generate_docs": true,
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
    pub struct JobView from Job {
        id: i64;
        account_id: i64,
        project_id: i64,
        environment_id: i64,
        name: String,
        description: String,
        /// Where set, goes before the environment's version of dbt.
        dbt_version: String,
        raw_dbt_version: String,
        deferring_environment_id: i64,
        deferring_job_definition_id: i64,
        /// The commands that it runs.
        execute_steps: Vec<String>,
        execution: JobExecutionView,
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
        settings: JobSettingsView,
        /// 1: active, 2: deleted.
        state: i64,
        triggers_on_draft_pr: bool,
        triggers: JobTriggersView,
        /// What other job's end starts a run, as dbt Cloud sends it.
        job_completion_trigger_condition: RawJson as Value,
        schedule: JobScheduleView,
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

super::part! {
    /// How a job is executed.
    pub struct JobExecutionView from JobExecution {
        /// After how many seconds a run is cancelled; 0: never.
        timeout_seconds: i64,
    }
}

super::part! {
    /// How dbt is called.
    pub struct JobSettingsView from JobSettings {
        /// How many models are built at once.
        threads: i64,
        /// What `{{ target.name }}` says.
        target_name: String,
    }
}

super::part! {
    /// What starts a run by itself.
    pub struct JobTriggersView from JobTriggers {
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

super::part! {
    /// When a job runs, where `triggers.schedule` is on.
    pub struct JobScheduleView from JobSchedule {
        /// The schedule in cron's words, UTC.
        cron: String,
        date: JobScheduleDateView,
        time: JobScheduleTimeView,
    }
}

super::part! {
    /// On which days a job runs.
    pub struct JobScheduleDateView from JobScheduleDate {
        /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`.
        #[serde(rename = "type")]
        kind: String,
        /// 0 (Sunday) to 6, for `days_of_week`.
        days: Vec<i64>,
        /// For `custom_cron` and `interval_cron`.
        cron: String,
    }
}

super::part! {
    /// At which hours a job runs.
    pub struct JobScheduleTimeView from JobScheduleTime {
        /// `every_hour` or `at_exact_hours`.
        #[serde(rename = "type")]
        kind: String,
        /// 0 to 23, UTC, for `at_exact_hours`.
        hours: Vec<i64>,
        /// Hours between two runs, for `every_hour`.
        interval: i64,
    }
}
