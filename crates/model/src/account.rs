//! An account of dbt Cloud, with every field that the specification of `GET /api/v2/accounts/{id}/` lists.

use crate::{AccountId, JobId, Timestamp, RawJson, lenient};

lenient::noun! {
    /// An account, as the Administrative API v2 answers it. Only `id` is sure to be there.
    pub struct Account {
        id: AccountId;
        name: String,
        /// For instance `team_2022` or `enterprise`; dbt Cloud adds one now and then.
        plan: String,
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
        unlocked_at: Timestamp,
        pending_cancel: bool,
        billing_email_address: String,
        pod_memory_request_mebibytes: i64,
        develop_pod_memory_request_mebibytes: i64,
        run_duration_limit_seconds: i64,
        /// How many runs may be queued at once.
        queue_limit: i64,
        enterprise_login_slug: String,
        business_critical: bool,
        starter_repo_url: String,
        git_auth_level: String,
        /// Unique across all cells of dbt Cloud.
        identifier: String,
        trial_end_date: Timestamp,
        /// The account's prefix in its access URL.
        static_subdomain: String,
        vanity_subdomain: String,
        run_locked_until: Timestamp,
        /// 1 is active, 2 is deleted.
        state: i64,
        docs_job_id: JobId,
        freshness_job_id: JobId,
        copilot_locked_until: Timestamp,
        agent_credit_locked: bool,
        account_migration_events: Vec<RawJson>,
        groups: Vec<RawJson>,
        created_at: Timestamp,
        updated_at: Timestamp,
    }
}
