//! The supervisor of background work: starts each worker, runs it again after a failure or a panic, and stops all.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::Clients;
use metric_families::Gauges;
use storage::{PgRateLedger, PgTriggerLedger};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::settings::Settings;

/// How often attempts that are due are looked for.
const RESOLVE_EVERY: Duration = Duration::from_secs(1);
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

/// Starts all workers.
pub(crate) fn start(
    clients: &Clients,
    triggers: PgTriggerLedger,
    budget: PgRateLedger,
    settings: &Settings,
    metrics: Arc<WorkerMetrics>,
) -> Workers {
    let lease = Duration::from_secs(settings.trigger.lease_secs);
    let keep = Duration::from_hours(24 * settings.trigger.keep_days);
    let clients = clients.clone();
    let resolve = move || {
        let clients = clients.clone();
        async move { Ok(clients.resolve_triggers(lease).await.map(drop)?) }
    };
    let tidy = move || {
        let (triggers, budget) = (triggers.clone(), budget.clone());
        async move {
            triggers.remove_expired(keep).await?;
            Ok(budget.remove_unused().await.map(drop)?)
        }
    };
    Workers(vec![
        tokio::spawn(supervise(
            "resolve_triggers",
            RESOLVE_EVERY,
            resolve,
            Arc::clone(&metrics),
        )),
        tokio::spawn(supervise("remove_expired", TIDY_EVERY, tidy, metrics)),
    ])
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
