//! Looks for new runs of accounts whose events a caller follows.

use std::time::Duration;

use model::RequestType;
use storage::{ListenedStream, RunKey};

use super::state::Busy;
use crate::{ClientError, Clients};

/// Accounts of one pass at most.
const BATCH: i64 = 50;
/// The pause between two looks at an account.
const PAUSE: Duration = Duration::from_secs(5);

impl Clients {
    /// Begins to look for the new runs of followed accounts that are due, and has them watched. Returns the number of
    /// accounts. Does not wait for dbt Cloud.
    ///
    /// # Errors
    /// [`ClientError::Records`]. A look that fails is logged, and made again later.
    pub async fn find_new_runs(&self) -> Result<usize, ClientError> {
        let streams = self.shared().records.run_events.claim_listened(BATCH, PAUSE).await?;
        let count = streams.len();
        for stream in streams {
            self.work_in_background(Busy::NewRuns(stream.key.clone()), move |clients| async move {
                clients.find_new_runs_of(&stream).await
            });
        }
        Ok(count)
    }

    async fn find_new_runs_of(&self, stream: &ListenedStream) -> Result<(), ClientError> {
        let key = &stream.key;
        let upstream = self
            .background_upstream(key.company_id, &key.host, key.account_id, &stream.credential)
            .await?;
        let Some(upstream) = upstream else { return Ok(()) };
        let (provider, ctx) = self.background_context(RequestType::FindNewRuns, key.company_id, upstream);
        let found = provider.find_new_runs(ctx, stream.newest_run).await?;
        let Some(newest) = found.iter().max() else {
            return Ok(());
        };
        if stream.newest_run.is_some() {
            let runs = found.iter().map(|run_id| RunKey {
                stream: key.clone(),
                run_id: *run_id,
            });
            let runs: Vec<RunKey> = runs.collect();
            let watcher = &self.shared().watcher;
            watcher
                .watches
                .watch_found(&runs, &stream.credential, watcher.settings.watched)
                .await?;
        }
        Ok(self.shared().records.run_events.saw_newest(key, *newest).await?)
    }
}
