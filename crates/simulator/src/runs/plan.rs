//! The scheduler: one run of a job at a time, so many at once in an account, CI runs past both rules.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::run::Run;
use crate::config::RunTiming;

/// Plans every open run that has not left the queue by `now`, in the order of creation.
pub(crate) fn replan(
    runs: &mut BTreeMap<i64, Run>,
    open: &BTreeSet<i64>,
    slots: usize,
    now: DateTime<Utc>,
    timing: &RunTiming,
) {
    let queued = TimeDelta::from_std(timing.queued).unwrap_or_default();
    let starting = TimeDelta::from_std(timing.starting).unwrap_or_default();
    let mut job_is_free: HashMap<i64, DateTime<Utc>> = HashMap::new();
    let mut slot_ends: Vec<DateTime<Utc>> = Vec::new();
    let has_left_queue = |run: &Run| run.cancellation.is_some() || run.dequeued_at.is_some_and(|at| at <= now);

    for run in open
        .iter()
        .filter_map(|id| runs.get(id))
        .filter(|run| has_left_queue(run) && !run.is_ci())
    {
        if let Some(end) = run.ends_at {
            let free = job_is_free.entry(run.job_id).or_insert(end);
            *free = end.max(*free);
            if end > now {
                slot_ends.push(end);
            }
        }
    }
    for id in open {
        let Some(run) = runs.get_mut(id).filter(|run| !has_left_queue(run)) else {
            continue;
        };
        let mut at = run.created_at + queued;
        if !run.is_ci() {
            if let Some(free) = job_is_free.get(&run.job_id) {
                at = at.max(*free);
            }
            if slot_ends.len() >= slots {
                slot_ends.sort();
                at = at.max(slot_ends[slot_ends.len() - slots]);
            }
        }
        // A run that had to wait leaves the queue now at the earliest, never in the past.
        run.plan(at.max(now), starting);
        if let Some(end) = run.ends_at.filter(|_| !run.is_ci()) {
            job_is_free.insert(run.job_id, end);
            slot_ends.push(end);
        }
    }
}
