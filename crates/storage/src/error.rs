//! Why a statement, a migration or a change failed.

use std::io;
use std::time::Duration;

use model::{AccountId, CompanyId};
use sqlx::migrate::MigrateError;

use crate::idempotency_keys::Earlier;
use crate::secrets::DecryptError;

/// An error of this layer.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The address is not a `postgres://` URL.
    #[error("the database's address is not a postgres:// URL")]
    Address(#[source] sqlx::Error),
    /// Postgres cannot be reached or refused the statement.
    #[error("the database query failed")]
    Query(#[source] sqlx::Error),
    /// Postgres did not answer in time. The statement or transaction may have been executed or not.
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
    /// A search of the request log reached the statement timeout.
    #[error("the search took too long")]
    TooSlow(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database migration failed")]
    Migrate(#[from] MigrateError),
    /// A migration did not get its locks in any of its tries.
    #[error(
        "the database migration could not lock its tables: other sessions use them for too long (pg_stat_activity shows          the oldest transactions: end them or try again later)"
    )]
    MigrationBlocked(#[source] MigrateError),
    /// The role may not change the tables.
    #[error(
        "the database's role may not migrate the tables: run `dbt-gateway migrate` as the role that owns them, and this          program with `serve --no-migrate`"
    )]
    MigrationDenied(#[source] MigrateError),
    /// Migrations are missing, and this process must not apply them.
    #[error(
        "the database's tables are too old: the newest migration is {applied}, this program needs {needed}. Run \
         `dbt-gateway migrate` of this version as the role that owns the tables"
    )]
    SchemaBehind {
        /// The newest migration of the database; 0: none.
        applied: i64,
        /// The newest migration of this program.
        needed: i64,
    },
    /// The addresses of the database do not lead where they must.
    #[error("{0}")]
    Pooler(PoolerError),
    /// The database has migrations that this program replaced by others.
    #[error(
        "this database was created by an earlier version of dbt-gateway, whose tables cannot be converted: use a new \
         database, or delete the data directory if dbt-gateway runs its own Postgres; companies, API keys, credentials \
         and the request log then start empty"
    )]
    EarlierVersion,
    /// A row holds a value that this version cannot read.
    #[error("unreadable row in {table}: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        reason: String,
    },
    /// The caller's idempotency key was used before, and nothing was changed.
    #[error("the idempotency key was used before")]
    Repeated(Box<Earlier>),
    /// There is no company with that id.
    #[error("there is no company {0}")]
    NoSuchCompany(CompanyId),
    /// The name is already used: by another company, or by another credential of the same company.
    #[error("the name is taken")]
    NameTaken,
    /// The name is not allowed; the text is the rule for names.
    #[error("{0}")]
    InvalidName(&'static str),
    /// The address is too long, or has a part that may be secret: addresses are stored unencrypted.
    #[error("{0} is longer than 2048 characters, or has a user, a password, a query or a fragment")]
    InvalidUrl(&'static str),
    /// A credential's address cannot move to another origin without a new token: otherwise anyone allowed to change an
    /// address could have the stored token sent to a server of their own.
    #[error("a credential's address moves to another host only together with its token")]
    TokenRequired,
    /// A key's default account is not in its list of accounts.
    #[error("the default account {0} is not among the key's accounts")]
    DefaultAccountNotAllowed(AccountId),
    /// No encryption key is configured, so tokens can be neither stored nor read.
    #[error("there is no encryption key for tokens")]
    NoKeyRing,
    /// A living process lacks the key with which tokens would be encrypted.
    #[error(
        "process {instance} on {host} does not have the encryption key `{key}` yet: give it to every replica, then \
         repeat this"
    )]
    KeyNotEverywhere {
        /// The id of the key.
        key: String,
        /// The id of the process.
        instance: i64,
        /// Its host.
        host: String,
    },
    /// A stored token cannot be decrypted.
    #[error("the token of credential `{credential}` of company {company} cannot be read")]
    Token {
        /// The credential's company.
        company: CompanyId,
        /// The credential's name.
        credential: String,
        /// Why.
        #[source]
        reason: DecryptError,
    },
}

/// Why the database cannot be reached by these addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolerError {
    /// `url` leads to a pooler, and there is no `direct_url`.
    #[error(
        "database.url leads to a connection pooler, which drops or refuses the settings of a session: set \
         database.direct_url to the address of Postgres itself"
    )]
    DirectUrlMissing,
    /// `direct_url` leads to a pooler too.
    #[error("database.direct_url leads to a connection pooler: it must be the address of Postgres itself")]
    DirectUrlIsPooled,
    /// PgBouncer says which version it is.
    #[error(
        "database.url leads to {0}, which loses prepared statements in transaction mode: PgBouncer 1.21 or later is \
         needed, with max_prepared_statements above 0, or database.url must be the address of Postgres itself"
    )]
    TooOld(String),
    /// Seen by what the pooler does.
    #[error(
        "the connection pooler at database.url loses prepared statements in transaction mode: PgBouncer 1.21 or later is \
         needed, with max_prepared_statements above 0, or database.url must be the address of Postgres itself"
    )]
    LosesStatements,
    /// A start parameter that every client sends.
    #[error("the connection pooler at database.url refuses the connection: {0}")]
    Refuses(String),
}

impl StorageError {
    /// `NameTaken` if that unique constraint was violated, else `Query`.
    pub(crate) fn taken_or(error: sqlx::Error, constraint: &str) -> Self {
        let violated = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::constraint);
        if violated == Some(constraint) {
            Self::NameTaken
        } else {
            error.into()
        }
    }

    /// `TooSlow` if the statement timeout cancelled the statement, else `Query`.
    pub(crate) fn slow_or(error: sqlx::Error) -> Self {
        // 57014: query_canceled.
        if sqlstate(&error).is_some_and(|code| code == "57014") {
            Self::TooSlow(error)
        } else {
            error.into()
        }
    }

    /// Whether the database is unavailable: starting, stopping, not reachable, too slow to answer, or not the primary.
    pub fn is_unavailable(&self) -> bool {
        let error = match self {
            Self::TimedOut(_) => return true,
            Self::Query(error)
            | Self::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => error,
            _ => return false,
        };
        // 57P01 to 57P03: stopped by an administrator, crashed, still starting. 57014: the server's statement timeout.
        // 25006: a standby, or a primary that became one. 08: a pooler that does not reach it. 53300: too many connections.
        matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut)
            || sqlstate(error).is_some_and(|code| {
                code.starts_with("57P0") || code.starts_with("08") || ["57014", "25006", "53300"].contains(&&*code)
            })
    }
}

impl StorageError {
    /// Whether a statement waited for a lock as long as its `lock_timeout`.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        // 55P03: lock_not_available.
        matches!(self, Self::Query(error) if sqlstate(error).is_some_and(|code| code == "55P03"))
    }

    /// Whether a row has no partition, or breaks another rule of its table.
    pub(crate) fn is_check_violation(&self) -> bool {
        matches!(self, Self::Query(error) if sqlstate(error).is_some_and(|code| code == "23514"))
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Io(error) = &error
            && let Some(inner) = error.get_ref()
            && let Some(StatementTimeout(limit)) = inner.downcast_ref()
        {
            return Self::TimedOut(*limit);
        }
        Self::Query(error)
    }
}

/// A statement passed its deadline: [`StorageError::TimedOut`] in the form of an error of sqlx.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer within {0:?}")]
pub(crate) struct StatementTimeout(pub(crate) Duration);

impl From<StatementTimeout> for sqlx::Error {
    fn from(timeout: StatementTimeout) -> Self {
        Self::Io(io::Error::new(io::ErrorKind::TimedOut, timeout))
    }
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}
