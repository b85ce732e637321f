//! One account: its tables, runs and webhooks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ids::Ids;
use super::kind::Kind;
use super::script::JobScript;
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::limiter::Limiter;
use crate::refusal::Refusal;
use crate::runs::{EventKind, Run, replan};
use crate::stamp;
use crate::switches::Switches;
use crate::timing::RunTiming;
use crate::webhooks::{Event, Hooks, PayloadContext, payload};

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) doc: Doc,
    tables: BTreeMap<Kind, BTreeMap<i64, Doc>>,
    pub(crate) runs: BTreeMap<i64, Run>,
    /// The newest run of each job.
    latest_runs: BTreeMap<i64, i64>,
    /// Runs with events left to announce: the only ones that can still change.
    pub(crate) open: BTreeSet<i64>,
    pub(crate) scripts: BTreeMap<i64, JobScript>,
    pub(crate) limiter: Limiter,
    /// Newest last, bounded.
    pub(crate) audit_log: VecDeque<Doc>,
    pub(crate) hooks: Hooks,
    /// The time of the next planned change of a run; `None` when it must be computed.
    next_change: Option<DateTime<Utc>>,
    pub(crate) ids: Ids,
}

const AUDIT_LOG_LIMIT: usize = 10_000;

impl Account {
    pub(crate) fn new(doc: Doc, ids: Ids) -> Self {
        let id = doc.int("id").unwrap_or_default();
        Self {
            id,
            doc,
            tables: BTreeMap::new(),
            runs: BTreeMap::new(),
            latest_runs: BTreeMap::new(),
            open: BTreeSet::new(),
            scripts: BTreeMap::new(),
            limiter: Limiter::default(),
            audit_log: VecDeque::new(),
            hooks: Hooks::default(),
            next_change: None,
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

    /// The row, or dbt's 404, also for deleted rows (`state` 2).
    pub(crate) fn find(&self, kind: Kind, id: i64) -> Result<&Doc, Refusal> {
        let row = self.get(kind, id).filter(|row| !row.has("state", 2));
        row.ok_or_else(Refusal::not_found)
    }

    pub(crate) fn find_mut(&mut self, kind: Kind, id: i64) -> Result<&mut Doc, Refusal> {
        let row = self.tables.get_mut(&kind).and_then(|rows| rows.get_mut(&id));
        row.filter(|row| !row.has("state", 2)).ok_or_else(Refusal::not_found)
    }

    /// Stores a row under its own `id`.
    pub(crate) fn put(&mut self, kind: Kind, doc: Doc) {
        let id = doc.int("id").unwrap_or_default();
        self.ids.seen(id);
        self.tables.entry(kind).or_default().insert(id, doc);
    }

    pub(crate) fn remove(&mut self, kind: Kind, id: i64) -> Option<Doc> {
        self.tables.get_mut(&kind)?.remove(&id)
    }

    /// The row that a field refers to, or null.
    pub(crate) fn referenced(&self, doc: &Doc, kind: Kind, field: &str) -> Value {
        let target = doc.int(field).and_then(|id| self.get(kind, id));
        target.map_or(Value::Null, |doc| Value::Object(doc.clone()))
    }

    /// # Errors
    /// A field error when the field refers to a row that does not exist.
    pub(crate) fn check_reference(&self, doc: &Doc, field: &str, kind: Kind) -> Result<(), Refusal> {
        match doc.int(field) {
            Some(id) if self.find(kind, id).is_err() => Err(Refusal::field(
                field,
                format!("Invalid pk \"{id}\" - object does not exist."),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn audit(&mut self, kind: Kind, verb: &str, doc: &Doc, call: &Call) {
        let name = kind.audit_name();
        let (actor_type, actor_id) = match call.caller.user_id {
            Some(id) => ("user", Some(id)),
            None => ("service_token", call.caller.service_token_id),
        };
        let entry = json!({
            "id": format!("aud_{}", self.ids.next()),
            "account_id": self.id,
            "source": "API",
            "service": "REST",
            "actor": { "actor_type": actor_type, "actor_id": actor_id, "actor_name": call.caller_name() },
            "event_type": format!("v1.events.{name}.{verb}"),
            "event_label": format!("{} {verb}", name.replace('_', " ")),
            "event_context": { "id": doc.get("id"), "name": doc.get("name") },
            "created_at": stamp::zulu(call.now),
        });
        if self.audit_log.len() == AUDIT_LOG_LIMIT {
            self.audit_log.pop_front();
        }
        self.audit_log.push_back(as_doc(entry));
    }

    pub(crate) fn add_run(&mut self, run: Run) {
        self.open.insert(run.id);
        self.add_past_run(run);
    }

    /// Adds a run whose events are not announced.
    pub(crate) fn add_past_run(&mut self, run: Run) {
        self.ids.seen(run.id);
        let latest = self.latest_runs.entry(run.job_id).or_insert(run.id);
        *latest = run.id.max(*latest);
        self.runs.insert(run.id, run);
    }

    /// The number of runs that may execute at the same time.
    pub(crate) fn run_slots(&self) -> usize {
        let slots = self.doc.int("run_slots").and_then(|slots| usize::try_from(slots).ok());
        slots.unwrap_or(1).max(1)
    }

    pub(crate) fn latest_run_of(&self, job_id: i64) -> Option<&Run> {
        self.runs.get(self.latest_runs.get(&job_id)?)
    }

    /// Announces the events up to `now` to webhooks, and closes the runs that have no more of them.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>, timing: &RunTiming, switches: &Switches) {
        if self.next_change.is_some_and(|until| now < until) {
            return;
        }
        let ingesting = TimeDelta::from_std(timing.ingesting).unwrap_or_default();
        let mut next = None;
        let mut over = Vec::new();
        let mut due = Vec::new();
        for id in &self.open {
            let Some(run) = self.runs.get_mut(id) else { continue };
            for (kind, at) in run.events(ingesting, switches.webhook_for_cancelled_runs) {
                if run.announced.contains(&kind) {
                    continue;
                }
                if at <= now {
                    run.announced.push(kind);
                    due.push((at, *id, kind));
                } else {
                    next = next.into_iter().chain([at]).min();
                }
            }
            let changes = [run.dequeued_at, run.started_at, run.ends_at.map(|end| end + ingesting)];
            next = next
                .into_iter()
                .chain(changes.into_iter().flatten().filter(|at| *at > now))
                .min();
            if run.ends_at.is_some_and(|end| end + ingesting <= now) {
                over.push(*id);
            }
        }
        due.sort_by_key(|(at, id, _)| (*at, *id));
        for (at, id, kind) in due {
            self.announce(id, kind, at, switches);
        }
        for id in over {
            self.open.remove(&id);
        }
        self.next_change = Some(next.unwrap_or(DateTime::<Utc>::MAX_UTC));
    }

    /// The time of the next planned change, if there is one.
    pub(crate) fn next_change(&self) -> Option<DateTime<Utc>> {
        self.next_change.filter(|at| *at < DateTime::<Utc>::MAX_UTC)
    }

    fn announce(&mut self, run_id: i64, kind: EventKind, at: DateTime<Utc>, switches: &Switches) {
        let Some(run) = self.runs.get(&run_id) else { return };
        let context = PayloadContext {
            job: self.get(Kind::Jobs, run.job_id),
            environment: self.get(Kind::Environments, run.environment_id),
            project: self.get(Kind::Projects, run.project_id),
            old_form: switches.webhook_old_form,
        };
        let subscriptions = self
            .hooks
            .subscriptions
            .values()
            .filter(|subscription| subscription.includes(kind, run.job_id));
        let events: Vec<Event> = subscriptions
            .map(|subscription| {
                let id = format!("wev_{:x}", self.ids.next());
                let payload = payload(subscription, &id, kind, run, &context, at).to_string();
                let subscription_id = subscription.id.clone();
                Event {
                    id,
                    subscription_id,
                    account_id: self.id,
                    job_id: run.job_id,
                    kind,
                    payload,
                    status: String::new(),
                }
            })
            .collect();
        for event in events {
            self.hooks.add_event(event);
        }
    }

    /// Plans the waiting runs again, after a trigger, a cancellation or a change of slots.
    pub(crate) fn replan(&mut self, now: DateTime<Utc>, timing: &RunTiming) {
        let slots = self.run_slots();
        replan(&mut self.runs, &self.open, slots, now, timing);
        self.next_change = None;
    }
}
