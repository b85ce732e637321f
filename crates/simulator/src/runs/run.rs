//! One run and its phases.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::events::EventKind;
use super::steps::{Step, StepState};
use crate::document::{Doc, Fields as _};

/// The phases of a run, with dbt's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Starting,
    Running,
    Success,
    Error,
    Cancelled,
}

impl Phase {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Queued => 1,
            Self::Starting => 2,
            Self::Running => 3,
            Self::Success => 10,
            Self::Error => 20,
            Self::Cancelled => 30,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Success => "Success",
            Self::Error => "Error",
            Self::Cancelled => "Cancelled",
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }
}

/// A cancellation before the end of the run.
#[derive(Clone, Debug)]
pub(crate) struct Cancellation {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
}

#[derive(Clone, Debug)]
pub(crate) struct NewRun {
    pub(crate) id: i64,
    pub(crate) trigger_id: i64,
    pub(crate) created_at: DateTime<Utc>,
    /// The accepted fields of the trigger body.
    pub(crate) trigger: Doc,
    pub(crate) cause_category: &'static str,
    pub(crate) triggered_by: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) retrying_run_id: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) trigger_id: i64,
    pub(crate) account_id: i64,
    pub(crate) project_id: i64,
    pub(crate) environment_id: i64,
    pub(crate) job_id: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) trigger: Doc,
    pub(crate) cause_category: &'static str,
    pub(crate) triggered_by: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) retrying_run_id: Option<i64>,
    pub(crate) dbt_version: String,
    pub(crate) generates_docs: bool,
    pub(crate) generates_sources: bool,
    /// Planned times; a run that waits for another one has none.
    pub(crate) dequeued_at: Option<DateTime<Utc>>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) cancellation: Option<Cancellation>,
    /// It is a 404 until then.
    pub(crate) hidden_until: Option<DateTime<Utc>>,
    /// The events that were announced.
    pub(crate) announced: Vec<EventKind>,
}

impl Run {
    /// A run of `job` without planned times.
    pub(crate) fn of_job(job: &Doc, environment_version: &str, new: NewRun) -> Self {
        let number = |name: &str| job.int(name).unwrap_or_default();
        let versions = [new.trigger.text("dbt_version_override"), job.text("dbt_version")];
        let version = versions.into_iter().find(|version| !version.is_empty());
        Self {
            id: new.id,
            trigger_id: new.trigger_id,
            account_id: number("account_id"),
            project_id: number("project_id"),
            environment_id: number("environment_id"),
            job_id: number("id"),
            created_at: new.created_at,
            dbt_version: version.unwrap_or(environment_version).to_owned(),
            generates_docs: new
                .trigger
                .flag("generate_docs_override")
                .or(job.flag("generate_docs"))
                .unwrap_or_default(),
            generates_sources: job.flag("run_generate_sources").unwrap_or_default(),
            trigger: new.trigger,
            cause_category: new.cause_category,
            triggered_by: new.triggered_by,
            steps: new.steps,
            retrying_run_id: new.retrying_run_id,
            dequeued_at: None,
            started_at: None,
            ends_at: None,
            cancellation: None,
            hidden_until: None,
            announced: Vec::new(),
        }
    }

    /// CI runs go in parallel and take no slot.
    pub(crate) fn is_ci(&self) -> bool {
        const PULL_REQUESTS: [&str; 4] = [
            "github_pull_request_id",
            "gitlab_merge_request_id",
            "azure_pull_request_id",
            "non_native_pull_request_id",
        ];
        PULL_REQUESTS.iter().any(|name| self.trigger.int(name).is_some())
    }

    pub(crate) fn phase(&self, now: DateTime<Utc>) -> Phase {
        if self.ends_at.is_some_and(|end| end <= now) {
            return match (&self.cancellation, self.fails()) {
                (Some(_), _) => Phase::Cancelled,
                (None, true) => Phase::Error,
                (None, false) => Phase::Success,
            };
        }
        match (self.dequeued_at, self.started_at) {
            (_, Some(started)) if started <= now => Phase::Running,
            (Some(dequeued), _) if dequeued <= now => Phase::Starting,
            _ => Phase::Queued,
        }
    }

    /// Whether one of its steps fails, now or later.
    pub(crate) fn fails(&self) -> bool {
        self.steps.iter().any(|step| step.fails)
    }

    pub(crate) fn is_hidden(&self, now: DateTime<Utc>) -> bool {
        self.hidden_until.is_some_and(|until| now < until)
    }

    /// Sets when it leaves the queue; start and end follow from that.
    pub(crate) fn plan(&mut self, dequeued_at: DateTime<Utc>, starting: TimeDelta) {
        let started_at = dequeued_at + starting;
        self.dequeued_at = Some(dequeued_at);
        self.started_at = Some(started_at);
        self.ends_at = Some(started_at + self.length());
    }

    /// The sum of its executed steps.
    fn length(&self) -> TimeDelta {
        self.executed().map(|step| step.length).sum()
    }

    /// The steps up to and including the one that fails.
    pub(crate) fn executed(&self) -> impl Iterator<Item = &Step> {
        let last = self
            .steps
            .iter()
            .position(|step| step.fails)
            .unwrap_or(self.steps.len());
        self.steps.iter().take(last + 1)
    }

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

    /// Cancels the run: immediately in the queue, after `delay` when it has started, not at all when it ends before.
    pub(crate) fn cancel(&mut self, now: DateTime<Utc>, delay: TimeDelta, by: String) {
        let at = match self.phase(now) {
            Phase::Queued => now,
            Phase::Starting | Phase::Running if self.cancellation.is_none() => now + delay,
            _ => return,
        };
        if self.ends_at.is_none_or(|end| at < end) {
            if self.dequeued_at.is_none_or(|dequeued| now < dequeued) {
                self.dequeued_at = None;
            }
            if self.started_at.is_none_or(|started| at < started) {
                self.started_at = None;
            }
            self.ends_at = Some(at);
            self.cancellation = Some(Cancellation { at, by });
        }
    }

    /// The events that webhooks announce, and when. Completion waits for the artifacts, an error does not.
    pub(crate) fn events(&self, ingesting: TimeDelta, cancelled_too: bool) -> Vec<(EventKind, DateTime<Utc>)> {
        let mut all: Vec<_> = self.started_at.map(|at| (EventKind::Started, at)).into_iter().collect();
        if let Some(end) = self.ends_at {
            match (&self.cancellation, self.fails()) {
                (Some(_), _) if cancelled_too => all.push((EventKind::Completed, end)),
                (Some(_), _) => {}
                (None, true) => all.extend([(EventKind::Errored, end), (EventKind::Completed, end + ingesting)]),
                (None, false) => all.push((EventKind::Completed, end + ingesting)),
            }
        }
        all
    }

    pub(crate) fn git_branch(&self) -> String {
        let branch = self.trigger.text("git_branch");
        if branch.is_empty() { "main" } else { branch }.to_owned()
    }

    /// The requested commit, else one made up from project, branch and day: runs of a day build the same commit.
    pub(crate) fn git_sha(&self) -> String {
        let requested = self.trigger.text("git_sha");
        if !requested.is_empty() {
            return requested.to_owned();
        }
        let seed = format!(
            "{}/{}/{}",
            self.project_id,
            self.git_branch(),
            self.created_at.date_naive()
        );
        let mut text = hex::encode(Sha256::digest(seed.as_bytes()));
        text.truncate(40);
        text
    }
}
