//! The real request log, watched: what the writer asks of it, and where wanted something else than it would answer.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use storage::{LogRow, PgRequestLog, RequestLog, WriteError};
use tokio::sync::watch;

use super::PATIENCE;

/// What a write does in place of only writing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Writes.
    Write,
    /// Does not write, and says that the database is away.
    BeAway,
    /// Does not write, and says that a row was refused.
    Refuse,
    /// Writes, but the answer is lost.
    WriteAndLoseTheAnswer,
}

pub(crate) struct WatchedSink {
    /// `None`: rows go nowhere.
    postgres: Option<PgRequestLog>,
    script: Mutex<VecDeque<Does>>,
    /// Writes under way do not go on while this is set.
    held: watch::Sender<bool>,
    /// How many rows each write had, and whether it succeeded.
    begun: watch::Sender<Vec<usize>>,
    failed: watch::Sender<usize>,
}

impl WatchedSink {
    pub(crate) fn on(postgres: PgRequestLog) -> Self {
        Self::new(Some(postgres))
    }

    pub(crate) fn to_nowhere() -> Self {
        Self::new(None)
    }

    fn new(postgres: Option<PgRequestLog>) -> Self {
        Self {
            postgres,
            script: Mutex::default(),
            held: watch::Sender::new(false),
            begun: watch::Sender::default(),
            failed: watch::Sender::default(),
        }
    }

    /// What the next writes do; those after them write.
    pub(crate) fn then(&self, script: impl IntoIterator<Item = Does>) {
        self.script.lock().unwrap().extend(script);
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The sizes of the groups that were written or tried.
    pub(crate) fn groups(&self) -> Vec<usize> {
        self.begun.borrow().clone()
    }

    /// Waits until so many writes have begun.
    pub(crate) async fn begun(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        let reached = begun.wait_for(|groups| groups.len() >= count);
        tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap();
    }

    /// Waits until so many writes more than now have failed.
    pub(crate) async fn failed_again(&self, count: usize) {
        let mut failed = self.failed.subscribe();
        let enough = *failed.borrow() + count;
        let reached = failed.wait_for(|failed| *failed >= enough);
        tokio::time::timeout(PATIENCE, reached).await.unwrap().unwrap();
    }

    async fn really_write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        match &self.postgres {
            Some(postgres) => postgres.write(rows).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl RequestLog for WatchedSink {
    async fn write(&self, rows: &[LogRow]) -> Result<(), WriteError> {
        self.begun.send_modify(|groups| groups.push(rows.len()));
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let does = self.script.lock().unwrap().pop_front().unwrap_or(Does::Write);
        let result = match does {
            Does::Write => self.really_write(rows).await,
            Does::BeAway => Err(WriteError::Unavailable(sqlx::Error::PoolTimedOut)),
            Does::Refuse => Err(WriteError::Rejected(sqlx::Error::RowNotFound)),
            Does::WriteAndLoseTheAnswer => {
                self.really_write(rows).await?;
                Err(WriteError::TooSlow(Duration::from_secs(1)))
            }
        };
        if result.is_err() {
            self.failed.send_modify(|failed| *failed += 1);
        }
        result
    }
}
