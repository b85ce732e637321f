//! The ids, tokens and names of the seed [`crate::Seed::Acme`] that tests use: a retail group. Every token is made up.

/// The account "Acme Retail Group".
pub const ACCOUNT_ID: i64 = 70_403_103_900_001;
/// A service token of the account.
pub const TOKEN: &str = "dbtc_FAKE_acme_service_token";
/// A personal token of [`USER_ID`].
pub const USER_TOKEN: &str = "dbtu_FAKE_acme_personal_token";
/// The user of [`USER_TOKEN`].
pub const USER_ID: i64 = 70_403_103_910_001;

/// "Customer 360".
pub const PROJECT_ID: i64 = 70_403_103_920_001;
/// "Finance Marts".
pub const FINANCE_PROJECT_ID: i64 = 70_403_103_920_002;
/// "Store Operations", with [`BIG_PROJECT_JOBS`] jobs.
pub const BIG_PROJECT_ID: i64 = 70_403_103_920_003;
/// The number of jobs of [`BIG_PROJECT_ID`]: more than three pages.
pub const BIG_PROJECT_JOBS: usize = 320;
/// A project that was deleted (`state` 2).
pub const DELETED_PROJECT_ID: i64 = 70_403_103_920_007;
/// The number of active projects.
pub const ACTIVE_PROJECTS: usize = 6;

/// The production environment of [`PROJECT_ID`].
pub const PRODUCTION_ENVIRONMENT_ID: i64 = 70_403_103_930_001;
/// The staging environment of [`PROJECT_ID`].
pub const STAGING_ENVIRONMENT_ID: i64 = 70_403_103_930_002;
/// The development environment of [`PROJECT_ID`].
pub const DEVELOPMENT_ENVIRONMENT_ID: i64 = 70_403_103_930_003;
/// The production environment of [`FINANCE_PROJECT_ID`].
pub const FINANCE_ENVIRONMENT_ID: i64 = 70_403_103_930_004;

/// The Postgres connection of [`PROJECT_ID`].
pub const CONNECTION_ID: i64 = 70_403_103_960_001;
/// The Snowflake connection of [`FINANCE_PROJECT_ID`].
pub const SNOWFLAKE_CONNECTION_ID: i64 = 70_403_103_960_002;
/// The `BigQuery` connection of [`BIG_PROJECT_ID`].
pub const BIGQUERY_CONNECTION_ID: i64 = 70_403_103_960_003;
/// The Databricks connection of "Supply Chain".
pub const DATABRICKS_CONNECTION_ID: i64 = 70_403_103_960_004;
/// The number of connections of the account.
pub const CONNECTIONS: usize = 7;

/// A variable of [`PROJECT_ID`]: project default `4`, production `16`, staging `8`.
pub const THREADS_VARIABLE: &str = "DBT_THREADS";
/// A variable of [`PROJECT_ID`]: project default `analytics_dev`, production `analytics`.
pub const SCHEMA_VARIABLE: &str = "DBT_TARGET_SCHEMA";
/// A secret variable of [`PROJECT_ID`] with a project default and values for production and staging, all masked.
pub const SECRET_VARIABLE: &str = "DBT_ENV_SECRET_GIT_TOKEN";
/// The id of the project default of [`THREADS_VARIABLE`]; the ids of the other values follow in the order above.
pub const FIRST_VARIABLE_VALUE_ID: i64 = 70_403_103_963_001;

/// "Nightly build" of [`PROJECT_ID`]: its runs succeed.
pub const NIGHTLY_JOB_ID: i64 = 70_403_103_940_001;
/// "Hourly orders" of [`PROJECT_ID`]: its runs succeed.
pub const HOURLY_JOB_ID: i64 = 70_403_103_940_002;
/// "Build and document" of [`PROJECT_ID`]: its runs end with `dbt docs generate`.
pub const DOCS_JOB_ID: i64 = 70_403_103_940_003;
/// "CI on pull requests" of [`PROJECT_ID`].
pub const CI_JOB_ID: i64 = 70_403_103_940_004;
/// "Month-end close" of [`FINANCE_PROJECT_ID`]: its first command of two fails every time.
pub const FAILING_JOB_ID: i64 = 70_403_103_940_005;
/// "Ledger reconciliation" of [`FINANCE_PROJECT_ID`]: the next run fails, later ones succeed.
pub const FLAKY_JOB_ID: i64 = 70_403_103_940_006;
/// "Full refresh" of [`PROJECT_ID`]: one hour a command.
pub const SLOW_JOB_ID: i64 = 70_403_103_940_007;
/// "Legacy extract" of [`FINANCE_PROJECT_ID`]: fails in `dbt deps`, before there are results.
pub const BROKEN_JOB_ID: i64 = 70_403_103_940_008;
/// The first job of [`BIG_PROJECT_ID`].
pub const FIRST_STORE_JOB_ID: i64 = 70_403_103_941_001;

/// The latest run of [`NIGHTLY_JOB_ID`] before the start: Success.
pub const SUCCEEDED_RUN_ID: i64 = 70_403_104_000_901;
/// The latest run of [`FAILING_JOB_ID`] before the start: Error, and can be retried.
pub const FAILED_RUN_ID: i64 = 70_403_104_000_902;
/// A run of [`HOURLY_JOB_ID`] before the start: Cancelled in the queue.
pub const CANCELLED_RUN_ID: i64 = 70_403_104_000_903;
/// The latest run of [`DOCS_JOB_ID`] before the start: Success, its last step is `dbt docs generate`.
pub const DOCS_RUN_ID: i64 = 70_403_104_000_904;
/// The number of runs before the start.
pub const HISTORIC_RUNS: usize = 130;
