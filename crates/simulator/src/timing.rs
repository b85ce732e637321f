//! How long the parts of a run take.

use std::time::Duration;

/// How long the parts of a run take, in simulated time. The script of a job sets how long its commands take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTiming {
    /// The shortest time from the trigger to leaving the queue (status 1).
    pub queued: Duration,
    /// From leaving the queue to the first step (status 2).
    pub starting: Duration,
    /// Each of the three preparing steps: clone, profile, `dbt deps`.
    pub prepare_step: Duration,
    /// A command of a job without a script.
    pub command_step: Duration,
    /// From the cancellation of a started run to its end.
    pub cancelling: Duration,
    /// From the end of a run to `job.run.completed`, which waits for the artifacts.
    pub ingesting: Duration,
}

impl Default for RunTiming {
    fn default() -> Self {
        Self {
            queued: Duration::from_secs(2),
            starting: Duration::from_secs(3),
            prepare_step: Duration::from_secs(1),
            command_step: Duration::from_secs(12),
            cancelling: Duration::from_secs(2),
            ingesting: Duration::from_secs(3),
        }
    }
}
