//! What the gateway sets for each of its sessions: the only place that makes session settings.
//!
//! A direct connection carries them in its start parameter `options`. A pooler in transaction mode refuses or drops that
//! parameter, and lends another session for each transaction: behind one each transaction sets them for itself.

use std::fmt::Write as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// How much longer the server waits than the process: the server only ends what the process has given up.
pub(crate) const SERVER_MARGIN: Duration = Duration::from_secs(1);

/// What lies between the process and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Nothing: a connection is a session.
    Direct,
    /// A pooler in transaction mode.
    Pooled,
}

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

    /// The options of a connection to that database; a direct one has these settings.
    pub(crate) fn options(&self, database: &PgConnectOptions, route: Route) -> PgConnectOptions {
        let options = database.clone().application_name(self.application_name);
        match route {
            Route::Direct => {
                let read_only = self
                    .is_read_only
                    .then_some(("default_transaction_read_only", "on".to_owned()));
                options.options(self.settings().into_iter().chain(read_only))
            }
            // PgBouncer refuses start parameters that it does not know, unless it is configured to ignore them.
            Route::Pooled => options.extra_float_digits(None),
        }
    }

    /// The statements that begin a transaction with these settings, whatever those of the session are.
    pub(crate) fn begin(&self) -> String {
        let mut statements = String::from(if self.is_read_only { "BEGIN READ ONLY" } else { "BEGIN" });
        for (name, value) in self.settings() {
            // Writing to a String does not fail.
            let _ = write!(statements, "; SET LOCAL {name} = {value}");
        }
        statements
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let timeout = self.statement_timeout.as_millis();
        let mut settings = vec![
            ("statement_timeout", timeout.to_string()),
            ("idle_in_transaction_session_timeout", timeout.to_string()),
        ];
        if self.has_generic_plans {
            settings.push(("plan_cache_mode", "force_generic_plan".to_owned()));
        }
        settings
    }
}
