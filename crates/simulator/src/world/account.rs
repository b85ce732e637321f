//! One account: its tables and its runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Doc, Ids, JobScript};
use crate::config::RunTiming;
use crate::limiter::Limiter;
use crate::reply::Refusal;
use crate::runs::{Run, replan};

/// The tables of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Connections,
    Credentials,
    Environments,
    Jobs,
    Projects,
    Repositories,
    Users,
}

/// One account of dbt Cloud.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) doc: Doc,
    tables: BTreeMap<Kind, BTreeMap<i64, Doc>>,
    pub(crate) runs: BTreeMap<i64, Run>,
    /// Runs whose end nobody has taken notice of yet: the only ones that can still change.
    pub(crate) open: BTreeSet<i64>,
    pub(crate) scripts: BTreeMap<i64, JobScript>,
    pub(crate) limiter: Limiter,
    pub(crate) ids: Ids,
}

impl Account {
    pub(crate) fn new(doc: Doc, ids: Ids) -> Self {
        let id = doc.get("id").and_then(Value::as_i64).unwrap_or_default();
        Self {
            id,
            doc,
            tables: BTreeMap::new(),
            runs: BTreeMap::new(),
            open: BTreeSet::new(),
            scripts: BTreeMap::new(),
            limiter: Limiter::default(),
            ids,
        }
    }

    /// The rows of a table in ascending id.
    pub(crate) fn rows(&self, kind: Kind) -> impl Iterator<Item = &Doc> {
        self.tables.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn get(&self, kind: Kind, id: i64) -> Option<&Doc> {
        self.tables.get(&kind)?.get(&id)
    }

    /// The row, or dbt's 404; deleted rows (`state` 2) are gone too.
    pub(crate) fn find(&self, kind: Kind, id: i64) -> Result<&Doc, Refusal> {
        let row = self
            .get(kind, id)
            .filter(|row| row.get("state") != Some(&Value::from(2)));
        row.ok_or_else(Refusal::not_found)
    }

    pub(crate) fn find_mut(&mut self, kind: Kind, id: i64) -> Result<&mut Doc, Refusal> {
        let row = self.tables.get_mut(&kind).and_then(|rows| rows.get_mut(&id));
        row.filter(|row| row.get("state") != Some(&Value::from(2)))
            .ok_or_else(Refusal::not_found)
    }

    /// Stores a row under its own `id`.
    pub(crate) fn put(&mut self, kind: Kind, doc: Doc) {
        let id = doc.get("id").and_then(Value::as_i64).unwrap_or_default();
        self.ids.seen(id);
        self.tables.entry(kind).or_default().insert(id, doc);
    }

    pub(crate) fn add_run(&mut self, run: Run) {
        self.ids.seen(run.id);
        self.open.insert(run.id);
        self.runs.insert(run.id, run);
    }

    /// How many runs may execute at once.
    pub(crate) fn run_slots(&self) -> usize {
        self.doc
            .get("run_slots")
            .and_then(Value::as_u64)
            .and_then(|slots| usize::try_from(slots).ok())
            .unwrap_or(1)
            .max(1)
    }

    /// The newest run of a job.
    pub(crate) fn latest_run_of(&self, job_id: i64) -> Option<&Run> {
        self.runs.values().rev().find(|run| run.job_id == job_id)
    }

    /// Takes notice of everything that has happened by `now`.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>, _timing: &RunTiming) {
        let runs = &self.runs;
        self.open
            .retain(|id| runs.get(id).is_some_and(|run| !run.phase(now).is_over()));
    }

    /// Sets the start of every waiting run anew, after a trigger, a cancellation or a change of slots.
    pub(crate) fn replan(&mut self, now: DateTime<Utc>, timing: &RunTiming) {
        let slots = self.run_slots();
        replan(&mut self.runs, &self.open, slots, now, timing);
    }
}
