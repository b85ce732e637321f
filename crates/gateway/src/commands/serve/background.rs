//! Periodic tasks of a serving process.

use std::sync::Arc;
use std::time::Duration;

use client::{Clients, PartitionsAhead};
use model::Clock;
use server::Limits;
use storage::{Database, Partitions};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::settings;

/// A tick now, and then with at least that pause.
pub(crate) fn every(pause: Duration) -> Interval {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The tasks that run once a minute.
pub(crate) struct BackgroundTasks([JoinHandle<()>; 2]);

impl BackgroundTasks {
    pub(crate) fn start(
        database: &Database,
        clients: &Clients,
        limits: &Arc<Limits>,
        clock: Arc<dyn Clock>,
        ahead: PartitionsAhead,
        log: &settings::RequestLog,
    ) -> Self {
        let partitions = Partitions::new(database, Duration::from_millis(log.drop_wait_ms));
        let retention_days = log.retention_days;
        Self([
            tokio::spawn(maintain_partitions(partitions, clock, ahead, retention_days)),
            tokio::spawn(tidy(clients.clone(), Arc::clone(limits))),
        ])
    }

    pub(crate) fn abort(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn tidy(clients: Clients, limits: Arc<Limits>) {
    let mut minutes = every(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        limits.tidy();
        record_key_use(&clients).await;
    }
}

/// Stores when each key was last used.
pub(crate) async fn record_key_use(clients: &Clients) {
    if let Err(error) = clients.record_key_use().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the last use of keys was not recorded"
        );
    }
}

/// `retention_days` 0: no partition is dropped.
async fn maintain_partitions(
    partitions: Partitions,
    clock: Arc<dyn Clock>,
    ahead: PartitionsAhead,
    retention_days: u32,
) {
    let mut minutes = every(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        let today = clock.now().date_naive();
        match partitions.make_ahead(today).await {
            Ok(last) => ahead.record(last),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the next partitions of the request log were not created"
            ),
        }
        if retention_days == 0 {
            continue;
        }
        match partitions.drop_expired(today, retention_days).await {
            Ok(dropped) => {
                if !dropped.partitions.is_empty() {
                    tracing::info!(partitions = ?dropped.partitions, "dropped expired partitions of the request log");
                }
                if dropped.are_others_in_use {
                    tracing::warn!(
                        "an expired partition of the request log is in use, by a search or a backup, and was not dropped; \
                         the next attempt is in a minute"
                    );
                }
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an expired partition of the request log was not dropped; the next attempt is in a minute"
            ),
        }
    }
}
