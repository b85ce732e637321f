//! Shutdown: drain, finish the requests in flight, write the queued rows; all before one deadline.

use std::fmt;
use std::pin::{Pin, pin};
use std::time::Duration;

use client::Clients;
use provider::{DbtProvider, LogQueue};
use server::Shutdown;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::connections::Closing;
use super::deadline::Deadline;
use crate::signals::Signals;

/// How long the answers to changes that were ended may take to leave.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// How long the writer may take to end after it was asked to give up.
const GIVE_UP: Duration = Duration::from_millis(200);

/// What a shutdown does, in this order.
pub(crate) struct ShutdownSequence {
    /// Makes `/readyz` answer 503.
    pub(crate) shutdown: Shutdown,
    /// Closes the connections.
    pub(crate) closing: Closing,
    /// How long connections are still accepted.
    pub(crate) drain: Duration,
    /// How long the rest may take.
    pub(crate) timeout: Duration,
}

impl ShutdownSequence {
    /// Runs `serving` until a signal, then until every request has ended. At the deadline, or at a second signal, those in
    /// flight are ended: their rows are closed.
    pub(crate) async fn run_on_signal(
        self,
        signals: Signals,
        serving: impl Future<Output = ()>,
        provider: &DbtProvider,
        clients: &Clients,
    ) -> (Deadline, Leftovers) {
        let mut serving = pin!(serving);
        let stopped_at = tokio::select! {
            () = serving.as_mut() => Instant::now(),
            stopped_at = signals.wait_for(1) => stopped_at,
        };
        tracing::info!("stopping: finishing the requests in flight");
        let deadline = Deadline::new(stopped_at, self.drain, self.timeout, signals.clone());
        self.shutdown.start();
        let drained = async {
            tokio::select! {
                () = sleep(self.drain) => {}
                _ = signals.wait_for(2) => {}
            }
            // Their callers connect again, to another replica.
            clients.end_lasting_requests();
            self.closing.when_idle.cancel();
            std::future::pending::<()>().await;
        };
        let all_ended = async {
            tokio::select! {
                () = serving.as_mut() => {}
                () = drained => {}
            }
            // Changes may outlive their callers.
            provider.drain().await;
        };
        let is_over = tokio::select! {
            () = all_ended => true,
            () = sleep_until(deadline.of_requests()) => false,
            _ = signals.wait_for(2) => false,
        };
        let leftovers = if is_over {
            Leftovers::default()
        } else {
            self.end_requests(serving, provider, &deadline).await
        };
        (deadline, leftovers)
    }

    async fn end_requests(
        &self,
        mut serving: Pin<&mut impl Future<Output = ()>>,
        provider: &DbtProvider,
        deadline: &Deadline,
    ) -> Leftovers {
        let leftovers = Leftovers {
            connections: self.closing.open.len(),
            changes_and_streams: provider.in_progress(),
            rows: 0,
        };
        tracing::warn!(
            connections = leftovers.connections,
            changes_and_streams = leftovers.changes_and_streams,
            "ending the requests in flight"
        );
        provider.end_all();
        self.closing.when_idle.cancel();
        // The callers of changes get an answer.
        if timeout_at(Instant::now() + LAST_ANSWERS, serving.as_mut())
            .await
            .is_err()
        {
            self.closing.immediately.cancel();
            // Their rows are queued as the connections close.
            deadline.limit("connections", serving).await;
        }
        deadline.limit("changes", provider.drain()).await;
        leftovers
    }
}

/// What did not end by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leftovers {
    /// Connections that were closed with a request in flight or an idle grace to come.
    connections: usize,
    /// Changes and streamed answers that were ended; their rows say so.
    changes_and_streams: usize,
    /// Rows that were not written.
    rows: usize,
}

impl Leftovers {
    /// The last line of the log, and the result of the process: an error if rows were lost.
    pub(crate) fn report(self) -> anyhow::Result<()> {
        let Self {
            connections,
            changes_and_streams,
            rows,
        } = self;
        if rows > 0 {
            tracing::error!(connections, changes_and_streams, rows, "stopped; {self}");
            anyhow::bail!("{self}");
        }
        if connections + changes_and_streams > 0 {
            tracing::warn!(connections, changes_and_streams, rows, "stopped; {self}");
        } else {
            tracing::info!("stopped");
        }
        Ok(())
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ended early: {} connections, {} changes and streams; rows of the request log that were not written: {}",
            self.connections, self.changes_and_streams, self.rows
        )
    }
}

/// Waits for the queued rows until the deadline.
pub(crate) async fn write_remaining_rows(
    log: &LogQueue,
    mut writer: JoinHandle<usize>,
    deadline: &Deadline,
    leftovers: &mut Leftovers,
) {
    log.close();
    let written = tokio::select! {
        lost = &mut writer => Some(lost),
        () = deadline.rows_passed() => None,
    };
    let lost = if written.is_some() {
        written
    } else {
        log.give_up();
        timeout_at(Instant::now() + GIVE_UP, &mut writer).await.ok()
    };
    leftovers.rows = match lost {
        Some(Ok(rows)) => rows,
        Some(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the request log's writer failed"
            );
            queued_rows(log)
        }
        None => {
            // A commit has no answer yet.
            let rows = queued_rows(log).max(1);
            writer.abort();
            rows
        }
    };
    if leftovers.rows > 0 {
        tracing::error!(
            rows = leftovers.rows,
            "rows of the request log were lost: the database did not accept them"
        );
    }
}

fn queued_rows(log: &LogQueue) -> usize {
    usize::try_from(log.rows().usage().used).unwrap_or(usize::MAX)
}
