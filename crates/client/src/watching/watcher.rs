//! Looks at the watched runs that are due, those of an account together.

use std::collections::HashMap;
use std::time::Duration;

use model::RequestType;
use provider::{Look, RunToLookAt};
use storage::{Claim, Seen, WatchGroup, WatchLease};

use super::changes;
use super::state::Busy;
use crate::{ClientError, Clients};

/// Groups that one process looks at concurrently: a slow account holds up no other.
const CONCURRENT: usize = 64;
/// Runs that are due within this time are looked at with those that are due.
const SOON: Duration = Duration::from_secs(10);

/// Removes the mark when it is dropped.
struct BusyMark(Clients, Busy);

impl Drop for BusyMark {
    fn drop(&mut self) {
        self.0.shared().watcher.busy().remove(&self.1);
    }
}

impl Clients {
    /// Begins to look at the watched runs that are due, and returns the number of accounts. Does not wait for dbt Cloud.
    ///
    /// # Errors
    /// [`ClientError::Records`]. A look that fails is logged, and made again later.
    pub async fn watch_runs(&self) -> Result<usize, ClientError> {
        let watcher = &self.shared().watcher;
        let busy: Vec<WatchGroup> = {
            let groups = watcher.busy();
            let groups = groups.iter().filter_map(|busy| match busy {
                Busy::Watches(group) => Some(group.clone()),
                _ => None,
            });
            groups.collect()
        };
        let Some(free @ 1..) = CONCURRENT.checked_sub(busy.len()) else {
            return Ok(0);
        };
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let due = watcher.watches.due_groups(limit, &busy).await?;
        let count = due.len();
        for group in due {
            self.work_in_background(Busy::Watches(group.clone()), move |clients| async move {
                clients.look_at(group).await
            });
        }
        Ok(count)
    }

    /// Waits until no look and no cancellation is in progress.
    pub async fn background_looks_end(&self) {
        let tasks = &self.shared().watcher.tasks;
        tasks.close();
        tasks.wait().await;
        tasks.reopen();
    }

    /// Runs `work` in a task of its own, unless the same is in progress: a slow account holds up no other. A failure is
    /// logged, and the work is due again later.
    pub(super) fn work_in_background<Work>(&self, busy: Busy, work: impl FnOnce(Self) -> Work)
    where
        Work: Future<Output = Result<(), ClientError>> + Send + 'static,
    {
        let watcher = &self.shared().watcher;
        if !watcher.busy().insert(busy.clone()) {
            return;
        }
        let mark = BusyMark(self.clone(), busy);
        let work = work(self.clone());
        watcher.tasks.spawn(async move {
            if let Err(error) = work.await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    work = mark.1.what(),
                    "background work failed; it is repeated"
                );
            }
        });
    }

    async fn look_at(&self, group: WatchGroup) -> Result<(), ClientError> {
        let watcher = &self.shared().watcher;
        let claim = watcher.watches.claim(group, SOON, watcher.settings.lease).await?;
        if claim.runs.is_empty() {
            return Ok(());
        }
        let runs = claim.runs.iter().map(|run| RunToLookAt {
            run_id: run.run_id,
            is_detailed: run.is_detailed,
        });
        let runs: Vec<RunToLookAt> = runs.collect();
        let group = &claim.group;
        let stream = &group.stream;
        let upstream = self
            .background_upstream(stream.company_id, &stream.host, stream.account_id, &group.credential)
            .await;
        let looked = match upstream {
            Ok(Some(upstream)) => {
                let (provider, ctx) = self.background_context(RequestType::WatchRuns, stream.company_id, upstream);
                provider.look_at_runs(ctx, runs).await.map_err(ClientError::from)
            }
            // Its credential may come back.
            Ok(None) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let (looked, failed) = match looked {
            Ok(looked) => (looked, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let looks: HashMap<_, _> = looked.into_iter().map(|one| (one.run_id, one.look)).collect();
        self.record(&claim, looks).await?;
        failed.map_or(Ok(()), Err)
    }

    async fn record(&self, claim: &Claim, mut looks: HashMap<model::RunId, Look>) -> Result<(), ClientError> {
        let watcher = &self.shared().watcher;
        let settings = &watcher.settings;
        let mut seen: Vec<Seen> = Vec::new();
        let mut unseen: Vec<(WatchLease, Duration)> = Vec::new();
        for watched in &claim.runs {
            let found = match looks.remove(&watched.run_id) {
                Some(Look::Seen(run, steps)) => {
                    changes::seen(&claim.group, watched, &run, steps, (settings, claim.open)).ok()
                }
                Some(Look::Missing | Look::Unknown) | None => None,
            };
            match found {
                Some(found) => seen.push(found),
                None => unseen.push((watched.lease, settings.pause_after_failure(watched, claim.open))),
            }
        }
        if !unseen.is_empty() {
            watcher.watches.postpone(&unseen).await?;
        }
        if !seen.is_empty() && watcher.watches.record(&claim.group.stream, &seen).await? {
            self.shared().hub.wake();
        }
        Ok(())
    }
}
