//! The supervisor of background work: starts each worker, runs it again after a failure or a panic, and stops all.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Clients;
use metric_families::Gauges;
use storage::{PgRateLedger, PgTriggerLedger, RunEvents, RunWatches};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::settings::Settings;

/// How often attempts that are due are looked for.
const RESOLVE_EVERY: Duration = Duration::from_secs(1);
/// How often watched runs that are due are looked for.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// How often accounts are looked for whose new runs are due.
const FIND_EVERY: Duration = Duration::from_secs(1);
/// How often runs are looked for that are to be cancelled.
const CANCEL_EVERY: Duration = Duration::from_millis(500);
/// Each pass waits for new events by itself.
const DELIVER_PAUSE: Duration = Duration::from_millis(1);
/// How often expired records are removed.
const TIDY_EVERY: Duration = Duration::from_mins(1);
/// The longest pause after failures.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// When each worker last finished its work, for the metric of how far behind it is.
#[derive(Debug, Default)]
pub(crate) struct WorkerMetrics(Mutex<Vec<(&'static str, Instant)>>);

impl WorkerMetrics {
    fn done(&self, worker: &'static str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|(name, _)| *name == worker) {
            Some((_, last)) => *last = Instant::now(),
            None => all.push((worker, Instant::now())),
        }
    }

    /// The family `background_worker_behind_seconds`.
    pub(crate) fn write(&self, gauges: &mut Gauges<'_>) -> fmt::Result {
        let help = "Seconds since the background worker last finished its work";
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let values: Vec<_> = all
            .into_iter()
            .map(|(name, last)| ([("worker", name)], last.elapsed().as_secs_f64()))
            .collect();
        gauges.gauges("background_worker_behind_seconds", help, &values)
    }
}

/// The running workers.
pub(crate) struct Workers(Vec<JoinHandle<()>>);

impl Workers {
    /// Stops all. What they had leased is free once the process has ended.
    pub(crate) fn stop(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// The tables that workers keep in order.
pub(crate) struct Tables {
    pub(crate) triggers: PgTriggerLedger,
    pub(crate) budget: PgRateLedger,
    pub(crate) run_watches: RunWatches,
    pub(crate) run_events: RunEvents,
}

/// Starts all workers.
pub(crate) fn start(clients: &Clients, tables: Tables, settings: &Settings, metrics: &Arc<WorkerMetrics>) -> Workers {
    let lease = Duration::from_secs(settings.trigger.lease_secs);
    let on = |work: fn(Clients) -> ClientWork| {
        let clients = clients.clone();
        move || work(clients.clone())
    };
    let metrics = || Arc::clone(metrics);
    let resolving = clients.clone();
    let resolve = move || {
        let clients = resolving.clone();
        async move { Ok(clients.resolve_triggers(lease).await.map(drop)?) }
    };
    let watch = on(|clients| Box::pin(async move { Ok(clients.watch_runs().await.map(drop)?) }));
    let find = on(|clients| Box::pin(async move { Ok(clients.find_new_runs().await.map(drop)?) }));
    let cancel = on(|clients| Box::pin(async move { Ok(clients.cancel_waited_runs().await.map(drop)?) }));
    let deliver = on(|clients| Box::pin(async move { Ok(clients.deliver_events().await?) }));
    let tidy = tidy(tables, settings);
    Workers(vec![
        tokio::spawn(supervise("resolve_triggers", RESOLVE_EVERY, resolve, metrics())),
        tokio::spawn(supervise("watch_runs", WATCH_EVERY, watch, metrics())),
        tokio::spawn(supervise("find_new_runs", FIND_EVERY, find, metrics())),
        tokio::spawn(supervise("cancel_waited_runs", CANCEL_EVERY, cancel, metrics())),
        tokio::spawn(supervise("deliver_events", DELIVER_PAUSE, deliver, metrics())),
        tokio::spawn(supervise("remove_expired", TIDY_EVERY, tidy, metrics())),
    ])
}

type ClientWork = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Removes what has expired, and makes the partitions of the next days.
fn tidy(tables: Tables, settings: &Settings) -> impl Fn() -> ClientWork + Send + 'static {
    let days = |count: u64| Duration::from_hours(24 * count);
    let (attempts, watches) = (days(settings.trigger.keep_days), days(settings.watch.keep_days));
    let events = Duration::from_hours(settings.events.retention_hours);
    let tables = Arc::new(tables);
    move || {
        let tables = Arc::clone(&tables);
        Box::pin(async move {
            tables.run_events.make_partitions().await?;
            tables.triggers.remove_expired(attempts).await?;
            tables.budget.remove_unused().await?;
            tables.run_watches.remove_expired(watches).await?;
            while let Some(partition) = tables.run_events.drop_expired(events).await? {
                tracing::info!(partition, "dropped an expired partition of the events of runs");
            }
            Ok(())
        })
    }
}

/// Runs `work` again and again with that pause; after failures with a growing one.
async fn supervise<Work>(
    name: &'static str,
    pause: Duration,
    work: impl Fn() -> Work + Send + 'static,
    metrics: Arc<WorkerMetrics>,
) where
    Work: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut failures = 0_u32;
    loop {
        // A task of its own, so that a panic ends only this pass.
        let mut pass = AbortOnDrop(tokio::spawn(work()));
        match (&mut pass.0).await {
            Ok(Ok(())) => {
                failures = 0;
                metrics.done(name);
            }
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!(
                    worker = name,
                    error = format_args!("{error:#}"),
                    "background work failed; it is repeated"
                );
            }
            Err(panicked) => {
                failures += 1;
                tracing::error!(
                    worker = name,
                    error = &panicked as &dyn std::error::Error,
                    "background work panicked"
                );
            }
        }
        let longer = pause.saturating_mul(1 << failures.min(8));
        tokio::time::sleep(longer.min(MAX_PAUSE.max(pause))).await;
    }
}

/// A pass that ends with its worker.
struct AbortOnDrop(JoinHandle<anyhow::Result<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
