//! Writes rows to Postgres, on a dedicated connection, so that they never wait for the pool.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use tokio::sync::Mutex;

use super::insert::insert_rows;
use super::partitions::ensure_partition;
use super::row::LogRow;
use super::sink::{RequestLog, WriteError};
use crate::bounded_pool::is_about_the_server;
use crate::database::Database;
use crate::own_connection::OwnConnection;
use crate::session::{SERVER_MARGIN, Session};

/// The table `request_log`, for writing.
#[derive(Debug)]
pub struct PgRequestLog {
    database: Database,
    session: Session,
    write_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<OwnConnection>,
    /// Days whose partition exists.
    days: HashSet<NaiveDate>,
}

impl PgRequestLog {
    /// A commit that takes longer than `write_timeout` is cancelled, and the next write uses a new connection.
    pub fn new(database: &Database, write_timeout: Duration) -> Self {
        Self {
            database: database.clone(),
            session: Session {
                has_generic_plans: true,
                ..Session::new("dbt-gateway request log", write_timeout + SERVER_MARGIN)
            },
            write_timeout,
            state: Mutex::default(),
        }
    }

    async fn try_write(&self, state: &mut State, rows: &[LogRow]) -> Result<(), sqlx::Error> {
        match self.write_once(state, rows).await {
            Err(error) if lacks_partition(&error) => {
                // A partition was dropped since.
                state.days.clear();
                self.write_once(state, rows).await
            }
            result => result,
        }
    }

    async fn write_once(&self, state: &mut State, rows: &[LogRow]) -> Result<(), sqlx::Error> {
        let connection = match &mut state.connection {
            Some(connection) => connection,
            missing => missing.insert(self.database.connect_as(&self.session).await?),
        };
        for row in rows {
            let day = row.fixed.started_at.date_naive();
            if !state.days.contains(&day) {
                let ensured = ensure_partition(connection.begin().await?, day).await;
                connection.end(ensured).await?;
                state.days.insert(day);
            }
        }
        let are_new = !rows.iter().any(|row| row.was_open);
        match insert(connection, rows, are_new).await {
            // An earlier commit succeeded without an answer.
            Err(error) if are_new && is_duplicate(&error) => insert(connection, rows, false).await,
            result => result,
        }
    }
}

#[async_trait]
impl RequestLog for PgRequestLog {
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        let mut state = self.state.lock().await;
        let error = match tokio::time::timeout(self.write_timeout, self.try_write(&mut state, rows)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if is_about_the_rows(&error) => WriteError::Rejected(error),
            Ok(Err(error)) => WriteError::Unavailable(error),
            Err(_) => WriteError::TooSlow(self.write_timeout),
        };
        state.days.clear();
        if matches!(&error, WriteError::TooSlow(_))
            || matches!(&error, WriteError::Unavailable(cause) if is_about_the_server(cause))
        {
            self.database.distrust_idle_connections();
        }
        if !matches!(error, WriteError::Rejected(_)) {
            // Closed without a farewell, which could wait for a silent server.
            state.connection = None;
        }
        Err(error)
    }
}

async fn insert(connection: &mut OwnConnection, rows: &[LogRow], are_new: bool) -> Result<(), sqlx::Error> {
    let inserted = insert_rows(connection.begin().await?, rows, are_new).await;
    connection.end(inserted).await
}

/// Postgres reports a row without a partition as a check violation that names no constraint.
fn lacks_partition(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|error| error.is_check_violation() && error.constraint().is_none())
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// SQLSTATE classes 22 (data), 23 (constraint) and 54 (limits): Postgres would accept other rows.
fn is_about_the_rows(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}
