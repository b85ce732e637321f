//! What the gateway sets for each of its sessions: the only place that makes session settings.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// How much longer the server waits than the process: the server only ends what the process has given up.
pub(crate) const SERVER_MARGIN: Duration = Duration::from_secs(1);

/// The settings of one kind of session. sqlx offers no TCP keepalive and no user timeout, so a dead peer is found by the
/// deadlines of the statements alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    /// Shown in `pg_stat_activity`.
    pub(crate) application_name: &'static str,
    /// Where the server ends a statement, and a transaction that waits for its next statement.
    pub(crate) statement_timeout: Duration,
    pub(crate) is_read_only: bool,
    /// Keep one plan for each prepared statement. By default Postgres would plan the same statements again each time.
    pub(crate) has_generic_plans: bool,
}

impl Session {
    /// A session that writes.
    pub(crate) fn new(application_name: &'static str, statement_timeout: Duration) -> Self {
        Self {
            application_name,
            statement_timeout,
            is_read_only: false,
            has_generic_plans: false,
        }
    }

    /// The options of a connection to that database with these settings.
    pub(crate) fn options(&self, database: &PgConnectOptions) -> PgConnectOptions {
        let timeout = self.statement_timeout.as_millis().to_string();
        let mut settings = vec![
            ("statement_timeout", timeout.as_str()),
            ("idle_in_transaction_session_timeout", timeout.as_str()),
        ];
        if self.is_read_only {
            settings.push(("default_transaction_read_only", "on"));
        }
        if self.has_generic_plans {
            settings.push(("plan_cache_mode", "force_generic_plan"));
        }
        database
            .clone()
            .application_name(self.application_name)
            .options(settings)
    }
}
