//! The durations and ages of a run.

use chrono::{DateTime, TimeDelta, Utc};

use crate::document::{Doc, Fields as _};
use crate::runs::Run;
use crate::stamp;

/// Adds `duration`, `queued_duration`, `run_duration`, their humanised forms, and the ages.
pub(crate) fn put_durations(doc: &mut Doc, run: &Run, now: DateTime<Utc>) {
    let end = run.ends_at.filter(|end| *end <= now);
    let start = run.started_at.filter(|start| *start <= now);
    let until = end.unwrap_or(now);
    let lengths = [
        ("duration", until - run.created_at),
        ("queued_duration", start.unwrap_or(until) - run.created_at),
        ("run_duration", start.map_or(TimeDelta::zero(), |start| until - start)),
    ];
    for (name, length) in lengths {
        doc.put(name, stamp::clock(length));
        doc.put(&format!("{name}_humanized"), stamp::in_words(length));
    }
    let ago = |at: DateTime<Utc>| format!("{} ago", stamp::in_words(now - at));
    doc.put("created_at_humanized", ago(run.created_at));
    doc.put("finished_at_humanized", end.map(ago));
}
