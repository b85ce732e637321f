//! A step of a run as JSON.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::artifacts::{console, debug, last_lines};
use crate::document::{Doc, as_doc};
use crate::runs::{Run, Step, StepState};
use crate::stamp;
use crate::switches::Switches;

/// A step; `tail` cuts the debug log to its last 1,000 lines.
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
    let (logs, mut debug_log) = if readable {
        (console(run, step, state), debug(run, step, state))
    } else {
        (String::new(), String::new())
    };
    if tail {
        debug_log = last_lines(&debug_log, 1_000);
    }
    let touched = until.or(since).unwrap_or(run.created_at);
    as_doc(json!({
        "id": step.id,
        "run_id": run.id,
        "account_id": run.account_id,
        "index": step.index,
        "status": status,
        "name": step.name,
        "logs": logs,
        "debug_logs": debug_log,
        "log_path": format!("logs/{}/{}.log", run.id, step.index),
        "debug_log_path": format!("logs/{}/{}-debug.log", run.id, step.index),
        "log_location": "db",
        "log_archive_type": "db_flushed",
        "truncated_debug_logs": last_lines(&debug_log, 100),
        "created_at": stamp::spaced(run.created_at),
        "updated_at": stamp::spaced(touched),
        "started_at": stamp::spaced_or_null(since),
        "finished_at": stamp::spaced_or_null(until),
        "status_color": color,
        "status_humanized": word,
        "duration": stamp::clock(length),
        "duration_humanized": stamp::in_words(length),
        "run_step_command": step.command.as_ref().map(|command| json!({ "run_step_id": step.id, "dbt_command": command })),
        "run_step_invocation": step.command.as_ref().map(|_| json!({ "run_step_id": step.id, "run_id": run.id })),
    }))
}
