//! The steps of a run: three that prepare, then its commands.

use chrono::{DateTime, TimeDelta, Utc};

use crate::timing::RunTiming;

/// The number of preparing steps: clone, profile, `dbt deps`.
pub(crate) const PREPARING: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) id: i64,
    /// From 1.
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The dbt command, if it runs one.
    pub(crate) command: Option<String>,
    pub(crate) length: TimeDelta,
    pub(crate) fails: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepState {
    Queued,
    Running { since: DateTime<Utc> },
    Success { since: DateTime<Utc>, at: DateTime<Utc> },
    Error { since: DateTime<Utc>, at: DateTime<Utc> },
    Cancelled,
    Skipped,
}

/// The steps for these commands. `failing` counts the commands from 1.
pub(crate) fn plan_steps(
    commands: &[String],
    command_length: TimeDelta,
    timing: &RunTiming,
    fails_early: bool,
    failing: Option<usize>,
    mut next_id: impl FnMut() -> i64,
) -> Vec<Step> {
    let preparing = TimeDelta::from_std(timing.prepare_step).unwrap_or_default();
    let mut steps = Vec::with_capacity(commands.len() + PREPARING);
    let mut add = |name: String, command: Option<String>, length, fails| {
        let index = steps.len() + 1;
        steps.push(Step {
            id: next_id(),
            index,
            name,
            command,
            length,
            fails,
        });
    };
    add("Clone git repository".to_owned(), None, preparing, false);
    add(
        "Create profile from connection Warehouse".to_owned(),
        None,
        preparing,
        false,
    );
    add(
        "Invoke dbt with `dbt deps`".to_owned(),
        Some("dbt deps".to_owned()),
        preparing,
        fails_early,
    );
    let failing = failing.map(|nth| nth.clamp(1, commands.len().max(1)));
    for (index, command) in commands.iter().enumerate() {
        let fails = failing == Some(index + 1);
        add(
            format!("Invoke dbt with `{command}`"),
            Some(command.clone()),
            command_length,
            fails,
        );
    }
    steps
}
