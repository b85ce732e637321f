//! Scripts: how the runs of a job go, set by a test or through the control endpoint.

use serde::{Deserialize, Serialize};

/// How the runs of one job go from the next trigger on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobScript {
    /// Simulated seconds that each of the job's commands takes; the default of the simulator when `None`.
    pub command_secs: Option<u64>,
    /// How its runs end.
    pub outcome: JobOutcome,
}

impl Default for JobScript {
    fn default() -> Self {
        Self {
            command_secs: None,
            outcome: JobOutcome::Succeed,
        }
    }
}

/// How the runs of a job end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum JobOutcome {
    /// Success (10).
    Succeed,
    /// Error (20) in a command, after which the others are skipped.
    Fail {
        /// Which of the job's commands fails, from 1; the last one when there are fewer.
        #[serde(default = "first")]
        command: usize,
        /// How many runs fail before they succeed; all of them when `None`.
        #[serde(default)]
        runs: Option<u32>,
    },
    /// Error (20) while preparing (`dbt deps`), before there are any run results.
    FailEarly,
}

fn first() -> usize {
    1
}

impl JobOutcome {
    /// Where the next run fails, if it does; counts that run.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        match self {
            Self::FailEarly => Some(Failure::Early),
            Self::Fail { command, runs: None } => Some(Failure::Command(*command)),
            Self::Succeed | Self::Fail { runs: Some(0), .. } => None,
            Self::Fail {
                command,
                runs: Some(left),
            } => {
                *left -= 1;
                Some(Failure::Command(*command))
            }
        }
    }
}

/// Where a run fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Early,
    Command(usize),
}
