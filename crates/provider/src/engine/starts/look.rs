//! One look for the runs of attempts whose answers were lost.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use dbt_api::ApiError;
use model::{DBT_PAGE_LIMIT, RequestType, Run, RunFilter, RunId, RunOrder, RunRelated, Slice};
use serde::Deserialize;
use storage::{Attempt, StartKind, TriggerLedger};

use super::attempt::{has_any_marker, has_marker, hash, start_of};
use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

/// Pages of 100 runs that one look reads at most.
const MAX_PAGES: usize = 10;
/// How far dbt Cloud's clock may differ from the database's, where a run is known by the time of its creation.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);
/// How much further a look reads back.
const FURTHER_BACK: TimeDelta = TimeDelta::minutes(5);

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

/// Reads the runs of the account, newest first, back to before the oldest of the attempts, which are all of that account.
pub(crate) async fn look(
    call: &Call,
    ledger: &dyn TriggerLedger,
    attempts: &[Attempt],
) -> Result<Vec<Looked>, ProviderError> {
    let (runs, is_complete) = read_runs(call, attempts).await?;
    let triggers: BTreeMap<RunId, TriggerWire> = runs.iter().map(|(id, run)| (*id, trigger_of(run))).collect();
    let mut looked = Vec::with_capacity(attempts.len());
    for attempt in attempts {
        let fitting = |fits: &dyn Fn(&Run, &TriggerWire) -> bool| {
            let all = runs.values().filter(|run| fits(run, &triggers[&run.id]));
            all.map(|run| run.id).collect::<Vec<_>>()
        };
        let marked = fitting(&|_, trigger| {
            let cause = trigger.cause.as_deref().unwrap_or_default();
            attempt
                .marker
                .as_deref()
                .is_some_and(|marker| has_marker(cause, marker))
        });
        if let [id] = marked[..] {
            looked.push(found(&runs[&id], false));
            continue;
        }
        let mut candidates = if marked.is_empty() {
            fitting(&|run, trigger| may_be(attempt, run, trigger))
        } else {
            marked
        };
        if !candidates.is_empty() {
            let taken = ledger.attempted(&attempt.host, attempt.account_id, &candidates).await?;
            candidates.retain(|id| !taken.contains(id));
        }
        looked.push(match candidates[..] {
            [] if is_complete => Looked::Absent,
            [] => Looked::Incomplete,
            [id] if attempt.marker.is_none() => found(&runs[&id], true),
            _ => Looked::Several(candidates),
        });
    }
    Ok(looked)
}

fn found(run: &Run, is_probable: bool) -> Looked {
    // dbt Cloud's answer to the POST has no trigger.
    let run = Run {
        trigger: None,
        ..run.clone()
    };
    Looked::Found {
        run: Box::new(run),
        is_probable,
    }
}

/// The runs by their ids, and whether they reach back to before every attempt.
async fn read_runs(call: &Call, attempts: &[Attempt]) -> Result<(BTreeMap<RunId, Run>, bool), ApiError> {
    let filter = &RunFilter {
        job_id: common_job(attempts),
        order_by: RunOrder::NewestFirst,
        include_related: vec![RunRelated::Trigger],
        ..RunFilter::default()
    };
    let (mut runs, mut offset) = (BTreeMap::new(), 0);
    for page in 0..MAX_PAGES {
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
        let is_back = |run: &Run| attempts.iter().all(|attempt| is_long_before(run, attempt));
        let is_far_back = listed.items.iter().any(is_back);
        runs.extend(listed.items.into_iter().map(|run| (run.id, run)));
        if is_end || is_far_back {
            return Ok((runs, true));
        }
    }
    Ok((runs, false))
}

fn common_job(attempts: &[Attempt]) -> Option<model::JobId> {
    let first = attempts.first()?.job_id?;
    attempts
        .iter()
        .all(|attempt| attempt.job_id == Some(first))
        .then_some(first)
}

fn is_long_before(run: &Run, attempt: &Attempt) -> bool {
    match attempt.watermark {
        Some(watermark) => run.id <= watermark,
        None => created(run).is_some_and(|created| created < attempt.sent_at - FURTHER_BACK),
    }
}

fn is_after(run: &Run, attempt: &Attempt) -> bool {
    match attempt.watermark {
        Some(watermark) => run.id > watermark,
        None => created(run).is_none_or(|created| created >= attempt.sent_at - CLOCKS_DIFFER),
    }
}

fn created(run: &Run) -> Option<chrono::DateTime<chrono::Utc>> {
    run.created_at.map(chrono::DateTime::from)
}

/// Whether a run without the attempt's marker may be its run: nobody else's, by time, job, kind and cause.
fn may_be(attempt: &Attempt, run: &Run, trigger: &TriggerWire) -> bool {
    let job = run.job_definition_id.or(run.job_id);
    let is_of_job = attempt.job_id.is_none_or(|wanted| job.is_none_or(|job| job == wanted));
    if !is_of_job || !is_after(run, attempt) {
        return false;
    }
    let cause = trigger.cause.as_deref();
    if cause.is_some_and(has_any_marker) {
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
