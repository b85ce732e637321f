//! Cancels runs whose callers disconnected, or whose time was up.

use std::time::Duration;

use model::RequestType;
use provider::ProviderError;
use storage::{CancelReason, RunToCancel};

use super::state::Busy;
use crate::{ClientError, Clients};

/// Runs of one pass at most.
const BATCH: i64 = 20;
/// For how long another process leaves a run alone: longer than a cancellation takes.
const LEASE: Duration = Duration::from_mins(2);

impl Clients {
    /// Begins to cancel the runs that are due to be cancelled. Returns their number. Does not wait for dbt Cloud.
    ///
    /// # Errors
    /// [`ClientError::Records`]. A cancellation that fails is logged, and tried again until the run has ended.
    pub async fn cancel_waited_runs(&self) -> Result<usize, ClientError> {
        let due = self.shared().watcher.watches.claim_cancels(BATCH, LEASE).await?;
        let count = due.len();
        for cancel in due {
            self.work_in_background(Busy::Cancel(cancel.request_uuid), move |clients| async move {
                clients.cancel_waited_run(&cancel).await
            });
        }
        Ok(count)
    }

    async fn cancel_waited_run(&self, cancel: &RunToCancel) -> Result<(), ClientError> {
        let stream = &cancel.run.stream;
        let upstream = self
            .background_upstream(stream.company_id, &stream.host, stream.account_id, &cancel.credential)
            .await?;
        if let Some(upstream) = upstream {
            let (provider, ctx) = self.background_context(RequestType::CancelWaitedRun, stream.company_id, upstream);
            match provider.cancel_run(ctx, cancel.run.run_id, None).await {
                Ok(_) => tracing::info!(
                    run_id = cancel.run.run_id.0,
                    request_uuid = %cancel.request_uuid,
                    reason = match cancel.reason {
                        CancelReason::Deadline => "the deadline of its caller passed",
                        CancelReason::Disconnect => "its caller disconnected",
                    },
                    "cancelled a run"
                ),
                Err(ProviderError::RunFinished { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.shared().watcher.watches.end_wait(cancel.request_uuid).await?)
    }
}
