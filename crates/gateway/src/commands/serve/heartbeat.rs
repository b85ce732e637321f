//! The row of this process in the table `instance`, and the search for processes that died.

use std::time::Duration;

use anyhow::Context as _;
use model::InstanceId;
use storage::{AbandonedSweep, Database, Heartbeat, Instances, LastSuccess};
use tokio::task::JoinHandle;

use super::background::every;
use crate::settings;

/// Most records of dead processes that one sweep removes: the rest follows with the next ones.
const MAX_REMOVED: u32 = 1000;

/// Updates this process's row periodically, and closes the open rows of processes whose heartbeat stopped.
pub(crate) struct InstanceHeartbeat {
    id: InstanceId,
    instances: Instances,
    last_beat: LastSuccess,
    /// Two tasks: a sweep may take long, a beat may not wait.
    tasks: [JoinHandle<()>; 2],
}

impl InstanceHeartbeat {
    /// Registers this process. With an exclusive database, all other instances are dead.
    pub(crate) async fn start(
        database: &Database,
        settings: &settings::Instance,
        is_exclusive: bool,
    ) -> anyhow::Result<Self> {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let instances = Instances::new(database);
        let id = instances
            .register(&host, env!("CARGO_PKG_VERSION"))
            .await
            .context("cannot register this process")?;
        let last_beat = LastSuccess::default();
        last_beat.record();
        if is_exclusive {
            instances
                .end_all_except(id)
                .await
                .context("cannot end the instances of dead processes")?;
        }
        let pause = Duration::from_secs(settings.heartbeat_secs);
        let heartbeat = Heartbeat::new(database, id, pause * 4 / 5).of_process(&host, env!("CARGO_PKG_VERSION"));
        let sweep = AbandonedSweep::new(database, Duration::from_secs(settings.dead_after_secs));
        let tasks = [
            tokio::spawn(keep_beating(heartbeat, pause, last_beat.clone())),
            tokio::spawn(keep_sweeping(
                sweep,
                instances.clone(),
                Duration::from_secs(settings.sweep_secs),
                Duration::from_hours(24) * settings.keep_days,
            )),
        ];
        Ok(Self {
            id,
            instances,
            last_beat,
            tasks,
        })
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.id
    }

    /// The last successful beat.
    pub(crate) fn last_beat(&self) -> LastSuccess {
        self.last_beat.clone()
    }

    /// Records the clean end of this process.
    pub(crate) async fn end(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.instances.end(self.id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the end of this process was not recorded"
            );
        }
    }
}

async fn keep_beating(mut heartbeat: Heartbeat, pause: Duration, last_beat: LastSuccess) {
    let mut ticks = every(pause);
    loop {
        ticks.tick().await;
        match heartbeat.beat().await {
            Ok(()) => last_beat.record(),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the heartbeat of this process failed"
            ),
        }
    }
}

async fn keep_sweeping(mut sweep: AbandonedSweep, instances: Instances, pause: Duration, keep: Duration) {
    let mut ticks = every(pause);
    loop {
        ticks.tick().await;
        match sweep.run().await {
            Ok(0) => {}
            Ok(rows) => tracing::warn!(rows, "closed the open rows of a dead process as abandoned"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the search for open rows of dead processes failed"
            ),
        }
        if let Err(error) = instances.remove_old(keep, MAX_REMOVED).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the records of processes that ended long ago were not removed"
            );
        }
    }
}
