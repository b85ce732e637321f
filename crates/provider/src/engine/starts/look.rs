//! One look for the runs of attempts whose answers were lost.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use dbt_api::ApiError;
use model::{DBT_PAGE_LIMIT, RequestType, Run, RunFilter, RunId, RunOrder, RunRelated, Slice};
use serde::Deserialize;
use storage::{Attempt, StartKind};

use super::attempt::{has_any_marker, has_marker, hash, start_of};
use super::dbt_clock::DbtClock;
use super::starter::Starter;
use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// What a look found for one attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Looked {
    /// Its run.
    Found {
        run: Box<Run>,
        /// Without a marker: exactly one fits.
        is_probable: bool,
    },
    /// These may be it.
    Several(Vec<RunId>),
    /// None, back to a time before the attempt.
    Absent,
    /// None, as far as the look went.
    Incomplete,
}

/// dbt Cloud's `trigger` of a run in a list.
#[derive(Debug, Default, Deserialize)]
struct TriggerWire {
    cause: Option<String>,
    cause_category: Option<String>,
}

/// Looks for the runs of attempts, which are all of one account.
pub(crate) struct Looks<'a> {
    call: &'a Call,
    starter: &'a Starter,
    attempts: &'a [Attempt],
    /// Once it has been read.
    clock: Option<DbtClock>,
}

/// The runs of one look.
#[derive(Default)]
struct Seen {
    runs: BTreeMap<RunId, (Run, TriggerWire)>,
    /// Whether they reach back to before every attempt.
    is_complete: bool,
}

impl<'a> Looks<'a> {
    pub(crate) fn new(call: &'a Call, starter: &'a Starter, attempts: &'a [Attempt]) -> Self {
        Self {
            call,
            starter,
            attempts,
            clock: None,
        }
    }

    /// Looks once: reads the runs of the account, newest first, back to before the oldest of the attempts. Returns what was
    /// found for each of them.
    pub(crate) async fn look(&mut self) -> Result<Vec<Looked>, ProviderError> {
        let seen = self.read_runs().await?;
        let mut looked = Vec::with_capacity(self.attempts.len());
        for attempt in self.attempts {
            let marked = seen.marked(attempt);
            if let [id] = marked[..] {
                looked.push(seen.found(id, false));
                continue;
            }
            let mut candidates = if marked.is_empty() {
                seen.fitting(|run, trigger| self.may_be(attempt, run, trigger))
            } else {
                marked
            };
            if !candidates.is_empty() {
                let ledger = &self.starter.ledger;
                let taken = ledger.attempted(&attempt.host, attempt.account_id, &candidates).await?;
                candidates.retain(|id| !taken.contains(id));
            }
            looked.push(match candidates[..] {
                [] if seen.is_complete => Looked::Absent,
                [] => Looked::Incomplete,
                [id] if attempt.marker.is_none() => seen.found(id, true),
                _ => Looked::Several(candidates),
            });
        }
        Ok(looked)
    }

    async fn read_runs(&mut self) -> Result<Seen, ApiError> {
        let (call, attempts) = (self.call, self.attempts);
        let filter = &RunFilter {
            job_id: common_job(attempts),
            order_by: RunOrder::NewestFirst,
            include_related: vec![RunRelated::Trigger],
            ..RunFilter::default()
        };
        let (mut seen, mut offset) = (Seen::default(), 0);
        for page in 0..self.starter.settings.look_pages {
            let slice = Slice {
                offset,
                limit: DBT_PAGE_LIMIT,
            };
            let why = if page == 0 { Why::LookUp } else { Why::NextPage };
            let listed = call
                .exchange(RequestType::ListRuns, why, move |api, to| {
                    api.list_runs(to, filter, slice)
                })
                .await?;
            offset += listed.items.len() as u64;
            let is_end = listed.items.is_empty() || listed.total_count.is_some_and(|total| offset >= total);
            let ids: Vec<RunId> = listed.items.iter().map(|run| run.id).collect();
            seen.add(listed.items);
            // Nothing older can say more.
            let is_found = attempts.iter().all(|attempt| seen.marked(attempt).len() == 1);
            if is_end || is_found {
                seen.is_complete = true;
            }
            if !is_found {
                let clock = self.clock(&seen).await?;
                let is_back = |run: &Run| attempts.iter().all(|attempt| clock.is_long_before(run, attempt));
                seen.is_complete |= ids.iter().any(|id| is_back(&seen.runs[id].0));
            }
            if seen.is_complete {
                break;
            }
        }
        Ok(seen)
    }

    async fn clock(&mut self, seen: &Seen) -> Result<DbtClock, ApiError> {
        if let Some(clock) = self.clock {
            return Ok(clock);
        }
        let difference = TimeDelta::from_std(self.starter.settings.clock_difference).unwrap_or_default();
        let listed = |id| seen.runs.get(&id).map(|(run, _)| run.clone());
        let clock = DbtClock::read(self.call, self.attempts, difference, listed).await?;
        self.clock = Some(clock);
        Ok(clock)
    }

    /// Whether a run without the attempt's marker may be its run: nobody else's, by id, time, job, kind and cause.
    fn may_be(&self, attempt: &Attempt, run: &Run, trigger: &TriggerWire) -> bool {
        let clock = self.clock.unwrap_or(DbtClock::Unknown);
        clock.may_follow(run, attempt) && fits(attempt, run, trigger)
    }
}

impl Seen {
    fn add(&mut self, runs: Vec<Run>) {
        let with_trigger = runs.into_iter().map(|run| (run.id, (trigger_of(&run), run)));
        self.runs
            .extend(with_trigger.map(|(id, (trigger, run))| (id, (run, trigger))));
    }

    fn fitting(&self, fits: impl Fn(&Run, &TriggerWire) -> bool) -> Vec<RunId> {
        let all = self.runs.iter().filter(|(_, (run, trigger))| fits(run, trigger));
        all.map(|(id, _)| *id).collect()
    }

    /// The runs whose cause ends with the attempt's marker.
    fn marked(&self, attempt: &Attempt) -> Vec<RunId> {
        let Some(marker) = attempt.marker.as_deref() else {
            return Vec::new();
        };
        self.fitting(|_, trigger| trigger.cause.as_deref().is_some_and(|cause| has_marker(cause, marker)))
    }

    fn found(&self, id: RunId, is_probable: bool) -> Looked {
        // dbt Cloud's answer to the POST has no trigger.
        let run = Run {
            trigger: None,
            ..self.runs[&id].0.clone()
        };
        Looked::Found {
            run: Box::new(run),
            is_probable,
        }
    }
}

fn common_job(attempts: &[Attempt]) -> Option<model::JobId> {
    let first = attempts.first()?.job_id?;
    attempts
        .iter()
        .all(|attempt| attempt.job_id == Some(first))
        .then_some(first)
}

fn fits(attempt: &Attempt, run: &Run, trigger: &TriggerWire) -> bool {
    let job = run.job_definition_id.or(run.job_id);
    let is_of_job = attempt.job_id.is_none_or(|wanted| job.is_none_or(|job| job == wanted));
    let cause = trigger.cause.as_deref();
    if !is_of_job || cause.is_some_and(has_any_marker) {
        return false;
    }
    let category = trigger.cause_category.as_deref();
    let by_api = |more: &[&str]| category.is_none_or(|category| category == "api" || more.contains(&category));
    match attempt.kind {
        StartKind::Trigger if attempt.marker.is_some() => {
            // dbt Cloud may have cut the marker off.
            let start = cause.map(|cause| hash(start_of(cause)));
            by_api(&[]) && start.is_none_or(|start| attempt.cause_start_hash == Some(start))
        }
        StartKind::Trigger => by_api(&[]) && cause.is_none_or(|cause| attempt.cause_hash == Some(hash(cause))),
        StartKind::Rerun => by_api(&["rerun"]),
        StartKind::Retry => {
            by_api(&["rerun"]) && run.retrying_run_id.is_none_or(|id| attempt.retried_run_id == Some(id))
        }
    }
}

fn trigger_of(run: &Run) -> TriggerWire {
    let raw = run.trigger.as_ref();
    raw.and_then(|raw| serde_json::from_str(raw.as_str()).ok())
        .unwrap_or_default()
}
