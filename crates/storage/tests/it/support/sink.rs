//! A request log that records the writer's groups and can simulate failures.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use storage::{LogRow, PgRequestLog, RequestLog, WriteError};
use tokio::sync::watch;

use super::TIMEOUT;

/// What a write does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Writes.
    Write,
    /// Fails as if the database were unavailable.
    Unavailable,
    /// Fails as if a row were refused.
    Reject,
    /// Writes, then fails as if the answer were lost.
    WriteWithoutAnswer,
}

pub(crate) struct WatchedSink {
    /// `None`: rows are not stored.
    postgres: Option<PgRequestLog>,
    script: Mutex<VecDeque<Step>>,
    /// Writes wait while this is set.
    held: watch::Sender<bool>,
    /// Number of rows of each started write.
    begun: watch::Sender<Vec<usize>>,
    failed: watch::Sender<usize>,
}

impl WatchedSink {
    pub(crate) fn on(postgres: PgRequestLog) -> Self {
        Self::new(Some(postgres))
    }

    pub(crate) fn without_database() -> Self {
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

    /// Sets what the next writes do. Writes after them are normal.
    pub(crate) fn script(&self, script: impl IntoIterator<Item = Step>) {
        self.script.lock().unwrap().extend(script);
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The sizes of the groups of all started writes.
    pub(crate) fn groups(&self) -> Vec<usize> {
        self.begun.borrow().clone()
    }

    /// Waits until that many writes have started.
    pub(crate) async fn wait_for_writes(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        let reached = begun.wait_for(|groups| groups.len() >= count);
        tokio::time::timeout(TIMEOUT, reached).await.unwrap().unwrap();
    }

    /// Waits until that many more writes have failed.
    pub(crate) async fn wait_for_failures(&self, count: usize) {
        let mut failed = self.failed.subscribe();
        let enough = *failed.borrow() + count;
        let reached = failed.wait_for(|failed| *failed >= enough);
        tokio::time::timeout(TIMEOUT, reached).await.unwrap().unwrap();
    }

    async fn store(&self, rows: &[LogRow]) -> Result<(), WriteError> {
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
        let step = self.script.lock().unwrap().pop_front().unwrap_or(Step::Write);
        let result = match step {
            Step::Write => self.store(rows).await,
            Step::Unavailable => Err(WriteError::Unavailable(sqlx::Error::PoolTimedOut)),
            Step::Reject => Err(WriteError::Rejected(sqlx::Error::RowNotFound)),
            Step::WriteWithoutAnswer => {
                self.store(rows).await?;
                Err(WriteError::TooSlow(Duration::from_secs(1)))
            }
        };
        if result.is_err() {
            self.failed.send_modify(|failed| *failed += 1);
        }
        result
    }
}
