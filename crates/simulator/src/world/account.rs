//! One account: its tables and its runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Doc, Ids, JobScript};
use crate::call::Call;
use crate::config::RunTiming;
use crate::limiter::Limiter;
use crate::reply::Refusal;
use crate::runs::{Run, replan};
use crate::switches::Switches;
use crate::webhooks::{Around, Event, EventKind, Hooks, payload};

/// The tables of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    AccountConnections,
    Adapters,
    Connections,
    Credentials,
    Encryptions,
    EnvironmentVariables,
    Environments,
    ExtendedAttributes,
    Groups,
    GroupPermissions,
    Invites,
    Jobs,
    LicenseMaps,
    Notifications,
    OauthConfigurations,
    PersonalTokens,
    Profiles,
    Projects,
    Repositories,
    SemanticLayerCredentials,
    ServiceTokens,
    UserCredentials,
    Users,
}

impl Kind {
    /// As audit logs call it.
    fn word(self) -> &'static str {
        match self {
            Self::AccountConnections | Self::Connections => "connection",
            Self::Adapters => "adapter",
            Self::Credentials => "credentials",
            Self::Encryptions => "encryption",
            Self::EnvironmentVariables => "custom_environment_variable",
            Self::Environments => "environment",
            Self::ExtendedAttributes => "extended_attributes",
            Self::Groups => "group",
            Self::GroupPermissions => "group_permission",
            Self::Invites => "invite",
            Self::Jobs => "job_definition",
            Self::LicenseMaps => "license_map",
            Self::Notifications => "job_notification_settings",
            Self::OauthConfigurations => "oauth_configuration",
            Self::PersonalTokens => "personal_access_token",
            Self::Profiles => "profile",
            Self::Projects => "project",
            Self::Repositories => "repository",
            Self::SemanticLayerCredentials => "semantic_layer_credentials",
            Self::ServiceTokens => "service_token",
            Self::UserCredentials => "user_credentials",
            Self::Users => "user",
        }
    }
}

/// One account of dbt Cloud.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) doc: Doc,
    tables: BTreeMap<Kind, BTreeMap<i64, Doc>>,
    pub(crate) runs: BTreeMap<i64, Run>,
    /// Of each job.
    latest_runs: BTreeMap<i64, i64>,
    /// Runs whose end nobody has taken notice of yet: the only ones that can still change.
    pub(crate) open: BTreeSet<i64>,
    pub(crate) scripts: BTreeMap<i64, JobScript>,
    pub(crate) limiter: Limiter,
    /// Newest last, bounded.
    pub(crate) audit_log: VecDeque<Doc>,
    pub(crate) hooks: Hooks,
    /// Nothing happens by itself before.
    quiet_until: Option<DateTime<Utc>>,
    pub(crate) ids: Ids,
}

const AUDIT_LOG_LIMIT: usize = 10_000;

impl Account {
    pub(crate) fn new(doc: Doc, ids: Ids) -> Self {
        let id = doc.get("id").and_then(Value::as_i64).unwrap_or_default();
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
            quiet_until: None,
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

    pub(crate) fn remove(&mut self, kind: Kind, id: i64) -> Option<Doc> {
        self.tables.get_mut(&kind)?.remove(&id)
    }

    /// The row that a field of another one points to, or null.
    pub(crate) fn pointed(&self, doc: &Doc, kind: Kind, field: &str) -> Value {
        let id = doc.get(field).and_then(Value::as_i64);
        id.and_then(|id| self.get(kind, id))
            .map_or(Value::Null, |doc| Value::Object(doc.clone()))
    }

    /// A field that points nowhere is a field error.
    pub(crate) fn check_pointer(&self, doc: &Doc, field: &str, kind: Kind) -> Result<(), Refusal> {
        match doc.get(field).and_then(Value::as_i64) {
            Some(id) if self.find(kind, id).is_err() => Err(Refusal::field(
                field,
                format!("Invalid pk \"{id}\" - object does not exist."),
            )),
            _ => Ok(()),
        }
    }

    /// Notes a change.
    pub(crate) fn audit(&mut self, kind: Kind, verb: &str, doc: &Doc, call: &Call) {
        let word = kind.word();
        let actor = match call.caller.user_id {
            Some(id) => json!({ "actor_type": "user", "actor_id": id, "actor_name": call.caller_name() }),
            None => {
                json!({ "actor_type": "service_token", "actor_id": call.caller.service_token_id, "actor_name": call.caller_name() })
            }
        };
        let entry = json!({
            "id": format!("aud_{}", self.ids.next()),
            "account_id": self.id,
            "source": "API",
            "service": "REST",
            "actor": actor,
            "event_type": format!("v1.events.{word}.{verb}"),
            "event_label": format!("{} {verb}", word.replace('_', " ")),
            "event_context": { "id": doc.get("id"), "name": doc.get("name") },
            "created_at": crate::stamp::zulu(call.now),
        });
        if self.audit_log.len() == AUDIT_LOG_LIMIT {
            self.audit_log.pop_front();
        }
        self.audit_log.extend(entry.as_object().cloned());
    }

    /// Adds a run that is still to happen.
    pub(crate) fn add_run(&mut self, run: Run) {
        self.open.insert(run.id);
        self.add_past_run(run);
    }

    /// Adds a run that nobody needs to take notice of.
    pub(crate) fn add_past_run(&mut self, run: Run) {
        self.ids.seen(run.id);
        let latest = self.latest_runs.entry(run.job_id).or_insert(run.id);
        *latest = run.id.max(*latest);
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
        self.runs.get(self.latest_runs.get(&job_id)?)
    }

    /// Takes notice of everything that has happened by `now`: what the webhooks are told, and which runs are over.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>, timing: &RunTiming, switches: &Switches) {
        if self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        let ingesting = TimeDelta::from_std(timing.ingesting).unwrap_or_default();
        let mut next = None;
        let mut over = Vec::new();
        let mut news = Vec::new();
        for id in &self.open {
            let Some(run) = self.runs.get_mut(id) else { continue };
            for (kind, at) in run.announcements(ingesting, switches.webhook_for_cancelled_runs) {
                if run.announced.contains(&kind.name()) {
                    continue;
                }
                if at <= now {
                    run.announced.push(kind.name());
                    news.push((at, *id, kind));
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
        news.sort_by_key(|(at, id, _)| (*at, *id));
        for (at, id, kind) in news {
            self.announce(id, kind, at, switches);
        }
        for id in over {
            self.open.remove(&id);
        }
        self.quiet_until = Some(next.unwrap_or(DateTime::<Utc>::MAX_UTC));
    }

    /// When something happens by itself next.
    pub(crate) fn next_change(&self) -> Option<DateTime<Utc>> {
        self.quiet_until.filter(|at| *at < DateTime::<Utc>::MAX_UTC)
    }

    /// Writes an event for everybody who wants it.
    fn announce(&mut self, run_id: i64, kind: EventKind, at: DateTime<Utc>, switches: &Switches) {
        let Some(run) = self.runs.get(&run_id) else { return };
        let around = Around {
            job: self.get(Kind::Jobs, run.job_id),
            environment: self.get(Kind::Environments, run.environment_id),
            project: self.get(Kind::Projects, run.project_id),
            old_form: switches.webhook_old_form,
        };
        let wanting = self
            .hooks
            .subscriptions
            .values()
            .filter(|subscription| subscription.wants(kind, run.job_id));
        let events: Vec<Event> = wanting
            .map(|subscription| {
                let id = format!("wev_{:x}", self.ids.next());
                let payload = payload(subscription, &id, kind, run, &around, at).to_string();
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

    /// Sets the start of every waiting run anew, after a trigger, a cancellation or a change of slots.
    pub(crate) fn replan(&mut self, now: DateTime<Utc>, timing: &RunTiming) {
        let slots = self.run_slots();
        replan(&mut self.runs, &self.open, slots, now, timing);
        self.quiet_until = None;
    }
}
