//! The row of this process in the table `instance`, and the search for processes that died.

use std::time::Duration;

use anyhow::Context as _;
use model::InstanceId;
use storage::Instances;
use tokio::task::JoinHandle;

use super::background::every;
use crate::settings;

/// Updates this process's row periodically, and closes the open rows of processes whose heartbeat stopped.
pub(crate) struct InstanceHeartbeat {
    id: InstanceId,
    instances: Instances,
    task: JoinHandle<()>,
}

impl InstanceHeartbeat {
    /// Registers this process. With an exclusive database, all other instances are dead.
    pub(crate) async fn start(
        instances: Instances,
        settings: &settings::Instance,
        is_exclusive: bool,
    ) -> anyhow::Result<Self> {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let id = instances
            .register(&host, env!("CARGO_PKG_VERSION"))
            .await
            .context("cannot register this process")?;
        if is_exclusive {
            instances
                .end_all_except(id)
                .await
                .context("cannot end the instances of dead processes")?;
        }
        let heartbeat = Duration::from_secs(settings.heartbeat_secs);
        let sweep = Duration::from_secs(settings.sweep_secs);
        let dead_after = Duration::from_secs(settings.dead_after_secs);
        let task = tokio::spawn(keep_beating(instances.clone(), id, heartbeat, sweep, dead_after));
        Ok(Self { id, instances, task })
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.id
    }

    /// Records the clean end of this process.
    pub(crate) async fn end(self) {
        self.task.abort();
        if let Err(error) = self.instances.end(self.id).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the end of this process was not recorded"
            );
        }
    }
}

async fn keep_beating(
    instances: Instances,
    id: InstanceId,
    heartbeat: Duration,
    sweep: Duration,
    dead_after: Duration,
) {
    let (mut heartbeats, mut sweeps) = (every(heartbeat), every(sweep));
    loop {
        let done = tokio::select! {
            _ = heartbeats.tick() => instances.heartbeat(id).await,
            _ = sweeps.tick() => instances.close_abandoned(dead_after).await.map(|closed| {
                if closed > 0 {
                    tracing::warn!(rows = closed, "closed the open rows of a dead process as abandoned");
                }
            }),
        };
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the heartbeat of this process failed"
            );
        }
    }
}
