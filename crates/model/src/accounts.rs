//! Accounts, with every field in the specification of `GET /api/v2/accounts/{id}/`.

use crate::{AccountId, JobId, RawJson, Timestamp, lenient};

lenient::noun! {
    /// An account of dbt Cloud.
    #[schema(example = json!({
        "id": 70_403_103_900_001_i64, "name": "Acme Analytics", "plan": "enterprise", "run_slots": 25,
        "developer_seats": 40, "it_seats": 5, "explorer_seats": 0, "analyst_seats": 0, "read_only_seats": 200,
        "locked": false, "lock_reason": null, "lock_cause": null, "unlocked_at": null, "pending_cancel": false,
        "billing_email_address": null, "pod_memory_request_mebibytes": 600,
        "develop_pod_memory_request_mebibytes": 600, "run_duration_limit_seconds": 86_400, "queue_limit": 50,
        "enterprise_login_slug": null, "business_critical": false, "starter_repo_url": null,
        "git_auth_level": "personal", "identifier": "act_0123", "trial_end_date": null, "static_subdomain": "ab123",
        "vanity_subdomain": null, "run_locked_until": null, "state": 1, "docs_job_id": null, "freshness_job_id": null,
        "copilot_locked_until": null, "agent_credit_locked": false, "account_migration_events": [], "groups": [],
        "created_at": "2024-03-19T11:57:15.559970Z", "updated_at": "2025-03-27T20:37:19.996618Z"
    }))]
    pub struct Account {
        id: AccountId as i64;
        name: String,
        /// For instance `team_2022` or `enterprise`; dbt Cloud adds one now and then.
        plan: String,
        /// The number of concurrent runs.
        run_slots: i64,
        developer_seats: i64,
        it_seats: i64,
        explorer_seats: i64,
        analyst_seats: i64,
        read_only_seats: i64,
        locked: bool,
        lock_reason: String,
        /// For instance `unpaid` or `trial_expired`.
        lock_cause: String,
        unlocked_at: Timestamp as DateTime<Utc>,
        pending_cancel: bool,
        billing_email_address: String,
        /// Memory of a run, in MiB.
        pod_memory_request_mebibytes: i64,
        /// Memory of a development session, in MiB.
        develop_pod_memory_request_mebibytes: i64,
        /// The number of seconds after which a run is ended.
        run_duration_limit_seconds: i64,
        /// The maximum number of queued runs.
        queue_limit: i64,
        enterprise_login_slug: String,
        business_critical: bool,
        starter_repo_url: String,
        git_auth_level: String,
        /// Unique across all cells of dbt Cloud.
        identifier: String,
        trial_end_date: Timestamp as DateTime<Utc>,
        /// The account's prefix in its access URL.
        static_subdomain: String,
        vanity_subdomain: String,
        run_locked_until: Timestamp as DateTime<Utc>,
        /// 1: active, 2: deleted.
        state: i64,
        /// Deprecated by dbt Cloud, as is `freshness_job_id`.
        docs_job_id: JobId as i64,
        freshness_job_id: JobId as i64,
        copilot_locked_until: Timestamp as DateTime<Utc>,
        agent_credit_locked: bool,
        /// As dbt Cloud sends it, as are `groups`.
        account_migration_events: Vec<RawJson> as Vec<Value>,
        groups: Vec<RawJson> as Vec<Value>,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
    }
}
