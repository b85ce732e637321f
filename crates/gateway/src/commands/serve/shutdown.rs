//! Shutdown: drain, finish the requests in flight, write the queued rows.

use std::pin::pin;
use std::time::Duration;

use provider::{DbtProvider, LogQueue};
use server::Shutdown;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::connections::Closing;
use crate::signals::Signals;

/// What a shutdown does, in this order.
pub(crate) struct ShutdownSequence {
    /// Makes `/readyz` answer 503.
    pub(crate) shutdown: Shutdown,
    /// Closes the connections.
    pub(crate) closing: Closing,
    /// How long connections are still accepted.
    pub(crate) drain: Duration,
    /// How long to wait for requests in flight after that.
    pub(crate) timeout: Duration,
}

impl ShutdownSequence {
    /// Runs `serving` until a signal, then shuts it down. Each further signal skips the current wait.
    pub(crate) async fn run_on_signal(self, serving: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let waited = async {
            signals.next().await;
            tracing::info!("stopping: finishing the requests in flight");
            self.shutdown.start();
            tokio::select! {
                () = sleep(self.drain) => {}
                () = signals.next() => {}
            }
            self.closing.when_idle.cancel();
            tokio::select! {
                () = sleep(self.timeout) => {}
                () = signals.next() => {}
            }
        };
        let mut serving = pin!(serving);
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = waited => {}
        }
        tracing::error!("the shutdown timeout passed with requests in flight: their connections are closed");
        self.closing.immediately.cancel();
        // Their rows are queued as the connections close.
        serving.await;
        Ok(())
    }
}

/// Waits for the changes in flight and for the queued rows, up to `limit` each. Streams are aborted, since every caller
/// is gone.
pub(crate) async fn write_remaining_rows(
    provider: &DbtProvider,
    log: &LogQueue,
    writer: JoinHandle<usize>,
    limit: Duration,
) {
    provider.abort_streams();
    if timeout(limit, provider.drain()).await.is_err() {
        tracing::error!(
            "changes are still in flight: their rows stay open until another process closes them as abandoned"
        );
    }
    log.close();
    let give_up = async {
        sleep(limit).await;
        log.give_up();
        std::future::pending::<()>().await;
    };
    let lost = tokio::select! {
        lost = writer => lost,
        () = give_up => return,
    };
    match lost {
        Ok(0) => {}
        Ok(rows) => tracing::error!(
            rows,
            "rows of the request log were lost: the database did not accept them"
        ),
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the request log's writer failed"
        ),
    }
}
