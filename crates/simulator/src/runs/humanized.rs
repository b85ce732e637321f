//! The durations of a run in dbt's fields.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::run::Run;
use crate::stamp;
use crate::world::Doc;

/// `duration`, `queued_duration`, `run_duration`, their humanised forms, and the ages.
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
        doc.insert(name.to_owned(), json!(stamp::clock_face(length)));
        doc.insert(format!("{name}_humanized"), json!(stamp::in_words(length)));
    }
    let ago = |at: DateTime<Utc>| json!(format!("{} ago", stamp::in_words(now - at)));
    doc.insert("created_at_humanized".to_owned(), ago(run.created_at));
    doc.insert("finished_at_humanized".to_owned(), end.map_or(Value::Null, ago));
}
