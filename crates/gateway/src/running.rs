//! A running gateway's life: waiting for the database, saying that it lives, stopping without losing a row.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use client::Clients;
use model::{Clock, InstanceId};
use provider::{DbtProvider, LogQueue};
use server::{Limits, Shutdown};
use storage::{Database, Instances, Partitions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::connections::Ending;
use crate::settings;

/// Brings the tables up to date, waiting for a database that is not up yet.
pub(crate) async fn migrate_when_up(database: &Database, patience: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    loop {
        match database.migrate().await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unavailable() && Instant::now() < until => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database is not up yet");
                sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error).context("cannot use the database"),
        }
    }
}

/// This process in the table `instance`: beats, and closes the rows that dead processes left open.
pub(crate) struct Presence {
    id: InstanceId,
    instances: Instances,
    beating: JoinHandle<()>,
}

impl Presence {
    /// Registers this process. Alone on its database, it knows that all others are dead.
    pub(crate) async fn register_metric(
        instances: Instances,
        settings: &settings::Instance,
        alone: bool,
    ) -> anyhow::Result<Self> {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let id = instances
            .register(&host, env!("CARGO_PKG_VERSION"))
            .await
            .context("cannot register this process")?;
        if alone {
            instances
                .end_all_except(id)
                .await
                .context("cannot end the instances of dead processes")?;
        }
        let beating = tokio::spawn(beat(
            instances.clone(),
            id,
            Duration::from_secs(settings.heartbeat_secs),
            Duration::from_secs(settings.sweep_secs),
            Duration::from_secs(settings.dead_after_secs),
        ));
        Ok(Self { id, instances, beating })
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.id
    }

    /// Says that this process has ended well.
    pub(crate) async fn end(self) {
        self.beating.abort();
        if let Err(error) = self.instances.end(self.id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the end of this process was not recorded"
            );
        }
    }
}

async fn beat(instances: Instances, id: InstanceId, every: Duration, sweep_every: Duration, dead_after: Duration) {
    let mut beats = ticks(every);
    let mut sweeps = ticks(sweep_every);
    loop {
        let done = tokio::select! {
            _ = beats.tick() => instances.heartbeat(id).await,
            _ = sweeps.tick() => instances.close_abandoned(dead_after).await.map(|closed| {
                if closed > 0 {
                    tracing::warn!(rows = closed, "closed rows that a dead process left open, as abandoned");
                }
            }),
        };
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this process could not say that it lives"
            );
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What is done once a minute beside serving, until it is aborted.
pub(crate) async fn chores(clients: Clients, limits: Arc<Limits>) {
    let mut minutes = ticks(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        limits.tidy();
        record_key_use(&clients).await;
    }
}

/// How long a partition of the log that is to be dropped waits for those who read it, each minute.
pub(crate) const READERS_PATIENCE: Duration = Duration::from_secs(30);

/// Makes the log's partitions ahead and drops those that have expired, once a minute, until it is aborted.
pub(crate) async fn keep_log(partitions: Partitions, clock: Arc<dyn Clock>, retention_days: u32) {
    let mut minutes = ticks(Duration::from_mins(1));
    loop {
        minutes.tick().await;
        let today = clock.now().date_naive();
        if let Err(error) = partitions.make_ahead(today).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the request log's partitions were not made ahead"
            );
        }
        if retention_days == 0 {
            continue;
        }
        match partitions.drop_expired(today, retention_days).await {
            Ok(dropped) if dropped.is_empty() => {}
            Ok(dropped) => tracing::info!(partitions = ?dropped, "dropped expired partitions of the request log"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an expired partition of the request log was not dropped; the next try is in a minute"
            ),
        }
    }
}

/// Writes down which keys were used.
pub(crate) async fn record_key_use(clients: &Clients) {
    if let Err(error) = clients.record_key_use().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the last use of keys was not recorded"
        );
    }
}

/// How a stop goes.
pub(crate) struct Stop {
    /// Tells callers and load balancers.
    pub(crate) shutdown: Shutdown,
    /// Ends the connections.
    pub(crate) ending: Ending,
    /// How long connections are still accepted.
    pub(crate) drain: Duration,
    /// How long the requests under way are waited for after that.
    pub(crate) patience: Duration,
}

/// Serves until a signal comes; then accepts for as long as load balancers need; then waits for the requests under way.
/// A second signal ends the waiting.
pub(crate) async fn until_stopped(serving: impl Future<Output = ()>, stop: Stop) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let told = async {
        signals.next().await;
        tracing::info!("stopping: finishing the requests under way");
        stop.shutdown.start();
        tokio::select! {
            () = sleep(stop.drain) => {}
            () = signals.next() => {}
        }
        stop.ending.no_more.cancel();
        tokio::select! {
            () = sleep(stop.patience) => {}
            () = signals.next() => {}
        }
    };
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = told => {}
    }
    tracing::error!("requests were still under way when the stop went on: they are cut off");
    stop.ending.now.cancel();
    // Their rows are queued as the connections close.
    serving.await;
    Ok(())
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Lets the changes under way end and the queued rows be written. Callers have been waited for: what is still streamed
/// breaks off.
pub(crate) async fn finish(provider: &DbtProvider, log: &LogQueue, writer: JoinHandle<usize>, patience: Duration) {
    provider.abort_streams();
    if timeout(patience, provider.drain()).await.is_err() {
        tracing::error!(
            "changes were still under way at the end: their rows stay open until they are closed as abandoned"
        );
    }
    log.close();
    let impatient = async {
        sleep(patience).await;
        log.give_up();
        std::future::pending::<()>().await;
    };
    let lost = tokio::select! {
        lost = writer => lost,
        () = impatient => return,
    };
    match lost {
        Ok(0) => {}
        Ok(rows) => tracing::error!(
            rows,
            "rows of the request log were lost: the database did not take them"
        ),
        Err(error) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "the request log's writer failed"
        ),
    }
}
