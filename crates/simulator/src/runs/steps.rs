//! The steps of a run: three that prepare, then the job's commands, then `dbt docs generate` where it is asked for.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::run::Run;
use crate::config::RunTiming;
use crate::stamp;
use crate::switches::Switches;
use crate::world::Doc;

/// How many steps prepare: clone, profile, `dbt deps`.
pub(crate) const PREPARING: usize = 3;

/// One step as planned.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) id: i64,
    /// From 1.
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The dbt command, where it is one.
    pub(crate) command: Option<String>,
    pub(crate) length: TimeDelta,
    pub(crate) fails: bool,
}

/// Where a step stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepState {
    Queued,
    Running { since: DateTime<Utc> },
    Success { since: DateTime<Utc>, at: DateTime<Utc> },
    Error { since: DateTime<Utc>, at: DateTime<Utc> },
    Cancelled,
    Skipped,
}

/// The commands of a run in order. `failing` counts them from 1.
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

impl Run {
    /// The state of the step at `index` (from 1).
    pub(crate) fn step_state(&self, index: usize, now: DateTime<Utc>) -> StepState {
        let Some(started) = self.started_at.filter(|at| *at <= now) else {
            return if self.cancellation.as_ref().is_some_and(|cancel| cancel.at <= now) {
                StepState::Cancelled
            } else {
                StepState::Queued
            };
        };
        let mut since = started;
        for step in self.executed() {
            let end = since + step.length;
            let cut = self
                .cancellation
                .as_ref()
                .filter(|cancel| cancel.at < end && cancel.at <= now);
            if step.index == index {
                return match (cut, end <= now, step.fails) {
                    (Some(_), _, _) => StepState::Cancelled,
                    (None, false, _) if since <= now => StepState::Running { since },
                    (None, false, _) => StepState::Queued,
                    (None, true, true) => StepState::Error { since, at: end },
                    (None, true, false) => StepState::Success { since, at: end },
                };
            }
            since = end;
        }
        if since <= now {
            StepState::Skipped
        } else {
            StepState::Queued
        }
    }
}

/// A step as dbt writes it. `tail` cuts the debug logs to their last 1,000 lines.
pub(crate) fn render_step(run: &Run, step: &Step, now: DateTime<Utc>, switches: &Switches, tail: bool) -> Doc {
    let state = run.step_state(step.index, now);
    let (status, word, color) = match state {
        StepState::Queued => (1, "Queued", "default"),
        StepState::Running { .. } => (3, "Running", "info"),
        StepState::Success { .. } => (10, "Success", "success"),
        StepState::Error { .. } => (20, "Error", "danger"),
        StepState::Cancelled => (30, "Cancelled", "cancelled"),
        StepState::Skipped => (switches.skipped_step_status, "Skipped", "default"),
    };
    let (since, until) = match state {
        StepState::Running { since } => (Some(since), None),
        StepState::Success { since, at } | StepState::Error { since, at } => (Some(since), Some(at)),
        _ => (None, None),
    };
    let length = since.map_or(TimeDelta::zero(), |since| until.unwrap_or(now) - since);
    let lag = TimeDelta::seconds(i64::try_from(switches.step_log_lag_secs).unwrap_or(0));
    let readable = until.is_some_and(|at| at + lag <= now);
    let logs = if readable {
        crate::logs::console(run, step, state)
    } else {
        String::new()
    };
    let debug = if readable {
        crate::logs::debug(run, step, state)
    } else {
        String::new()
    };
    let debug = if tail {
        crate::logs::last_lines(&debug, 1_000)
    } else {
        debug
    };
    let touched = until.or(since).unwrap_or(run.created_at);
    let value = json!({
        "id": step.id,
        "run_id": run.id,
        "account_id": run.account_id,
        "index": step.index,
        "status": status,
        "name": step.name,
        "logs": logs,
        "debug_logs": debug,
        "log_path": format!("logs/{}/{}.log", run.id, step.index),
        "debug_log_path": format!("logs/{}/{}-debug.log", run.id, step.index),
        "log_location": "db",
        "log_archive_type": "db_flushed",
        "truncated_debug_logs": crate::logs::last_lines(&debug, 100),
        "created_at": stamp::spaced(run.created_at),
        "updated_at": stamp::spaced(touched),
        "started_at": stamp::spaced_or_null(since),
        "finished_at": stamp::spaced_or_null(until),
        "status_color": color,
        "status_humanized": word,
        "duration": stamp::clock_face(length),
        "duration_humanized": stamp::in_words(length),
        "run_step_command": step.command.as_ref().map(|command| json!({ "run_step_id": step.id, "dbt_command": command })),
        "run_step_invocation": step.command.as_ref().map(|_| json!({ "run_step_id": step.id, "run_id": run.id })),
    });
    match value {
        Value::Object(doc) => doc,
        _ => Doc::new(),
    }
}
