//! Runs that ended before the simulator started.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::document::{Doc, Fields as _};
use crate::runs::{NewRun, Run, plan_steps};
use crate::timing::RunTiming;
use crate::world::{Account, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    /// In the first command.
    Error,
    /// In `dbt deps`.
    EarlyError,
    /// In the queue.
    Cancelled,
}

pub(super) struct Past {
    pub(super) id: i64,
    pub(super) job_id: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) ending: Ending,
}

/// Adds a run that ended before the start; none for a job that does not exist.
pub(super) fn add(account: &mut Account, past: &Past, timing: &RunTiming) {
    let Some(job) = account.get(Kind::Jobs, past.job_id).cloned() else {
        return;
    };
    let steps = job.items("execute_steps").iter().filter_map(Value::as_str);
    let mut commands: Vec<String> = steps.map(ToOwned::to_owned).collect();
    if job.flag("generate_docs") == Some(true) {
        commands.push("dbt docs generate".to_owned());
    }
    let length = TimeDelta::seconds(20 + past.id % 40);
    let first_step = past.id * 10;
    let mut step_id = first_step;
    let failing = (past.ending == Ending::Error).then_some(1);
    let steps = plan_steps(
        &commands,
        length,
        timing,
        past.ending == Ending::EarlyError,
        failing,
        || {
            step_id += 1;
            step_id
        },
    );
    let new = NewRun {
        id: past.id,
        trigger_id: past.id + 50_000_000,
        created_at: past.created_at,
        trigger: Doc::from_iter([("cause".to_owned(), json!("scheduled"))]),
        cause_category: "scheduled",
        triggered_by: "scheduler".to_owned(),
        steps,
        retrying_run_id: None,
    };
    let mut run = Run::of_job(&job, "latest", new);
    if past.ending == Ending::Cancelled {
        run.cancel(
            past.created_at + TimeDelta::seconds(9),
            TimeDelta::zero(),
            "user".to_owned(),
        );
    } else {
        let queued = TimeDelta::from_std(timing.queued).unwrap_or_default();
        let starting = TimeDelta::from_std(timing.starting).unwrap_or_default();
        run.plan(past.created_at + queued, starting);
    }
    account.add_past_run(run);
}
