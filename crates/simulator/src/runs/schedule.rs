//! The scheduler: one run of a job at a time and `slots` runs of an account at a time; CI runs are exempt from both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::run::Run;
use crate::timing::RunTiming;

/// Plans every open run that is still queued at `now`, in the order of creation.
pub(crate) fn replan(
    runs: &mut BTreeMap<i64, Run>,
    open: &BTreeSet<i64>,
    slots: usize,
    now: DateTime<Utc>,
    timing: &RunTiming,
) {
    let queued = TimeDelta::from_std(timing.queued).unwrap_or_default();
    let starting = TimeDelta::from_std(timing.starting).unwrap_or_default();
    let mut job_free_at: HashMap<i64, DateTime<Utc>> = HashMap::new();
    let mut slot_ends: Vec<DateTime<Utc>> = Vec::new();
    let left_queue = |run: &Run| run.cancellation.is_some() || run.dequeued_at.is_some_and(|at| at <= now);

    for run in open
        .iter()
        .filter_map(|id| runs.get(id))
        .filter(|run| left_queue(run) && !run.is_ci())
    {
        if let Some(end) = run.ends_at {
            let free = job_free_at.entry(run.job_id).or_insert(end);
            *free = end.max(*free);
            if end > now {
                slot_ends.push(end);
            }
        }
    }
    for id in open {
        let Some(run) = runs.get_mut(id).filter(|run| !left_queue(run)) else {
            continue;
        };
        let mut at = run.created_at + queued;
        if !run.is_ci() {
            if let Some(free) = job_free_at.get(&run.job_id) {
                at = at.max(*free);
            }
            if slot_ends.len() >= slots {
                slot_ends.sort();
                at = at.max(slot_ends[slot_ends.len() - slots]);
            }
        }
        // A run that waited leaves the queue now at the earliest, never in the past.
        run.plan(at.max(now), starting);
        if let Some(end) = run.ends_at.filter(|_| !run.is_ci()) {
            job_free_at.insert(run.job_id, end);
            slot_ends.push(end);
        }
    }
}
