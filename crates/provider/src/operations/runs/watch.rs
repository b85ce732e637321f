//! What watches need: the state of many runs with one request, new runs, and the beginning of a wait.

use std::collections::{BTreeMap, BTreeSet};

use dbt_api::ApiError;
use model::{ClientContext, RequestType, Run, RunFilter, RunId, RunOrder, RunRelated, RunStep, Slice};
use serde_json::json;
use shares::Share;

use crate::engine::{Call, LastingRequest, RowSubject, args};
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError};

/// Runs that are read singly in one look because the list did not show them. The others follow in later looks.
const MAX_SINGLE_READS: usize = 5;

/// A run whose state is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunToLookAt {
    /// The run.
    pub run_id: RunId,
    /// Whether its steps and logs are read too.
    pub is_detailed: bool,
}

/// Whether a request that lasts reads its run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFirst {
    /// It does not: the run is known.
    No,
    /// It does, and fails where the run cannot be read.
    Yes,
    /// It does, and goes on where the run cannot be read: it was started, and not seen yet.
    IfPossible,
}

/// What a look has found.
#[derive(Debug)]
pub struct Looked {
    /// The run.
    pub run_id: RunId,
    /// Its state.
    pub look: Look,
}

/// The state of a run.
#[derive(Debug)]
pub enum Look {
    /// The run; with its steps, if they were read.
    Seen(Box<Run>, Option<Vec<RunStep>>),
    /// dbt Cloud shows no such run.
    Missing,
    /// It could not be read, or was left to a later look.
    Unknown,
}

impl DbtProvider {
    /// Reads the state of at most 100 runs of one account: with one list, and singly those that it does not show and those
    /// whose steps are wanted. Every run is in the answer.
    ///
    /// # Errors
    /// [`ProviderError`], where nothing could be read.
    pub async fn look_at_runs(&self, ctx: ClientContext, runs: Vec<RunToLookAt>) -> Result<Vec<Looked>, ProviderError> {
        let ids: Vec<RunId> = runs.iter().map(|run| run.run_id).collect();
        let subject = RowSubject::new(json!({ "run_ids": ids }));
        self.provider_request(ctx, subject, move |call| async move { look(&call, &runs).await })
            .await
    }

    /// At most 100 runs of an account with greater ids than `after`, the oldest first; without it the newest one.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn find_new_runs(&self, ctx: ClientContext, after: Option<RunId>) -> Result<Vec<RunId>, ProviderError> {
        self.provider_request(ctx, args!(after), move |call| async move {
            let filter = RunFilter {
                after_id: after,
                order_by: if after.is_some() {
                    RunOrder::Id
                } else {
                    RunOrder::NewestFirst
                },
                ..RunFilter::default()
            };
            let slice = Slice {
                offset: 0,
                limit: if after.is_some() { 100 } else { 1 },
            };
            let filter = &filter;
            let list = call.exchange(RequestType::ListRuns, Why::Poll, move |api, to| {
                api.list_runs(to, filter, slice)
            });
            let listed = list.await?.items;
            // Where dbt Cloud ignores the filter, older runs are not new.
            let newer = listed
                .into_iter()
                .map(|run| run.id)
                .filter(|id| after.is_none_or(|after| *id > after));
            Ok(newer.collect())
        })
        .await
    }

    /// Begins a request that lasts as long as a caller waits for, or listens to, a run.
    ///
    /// # Errors
    /// [`ProviderError`]; as for [`Self::get_run`].
    pub async fn begin_lasting(
        &self,
        ctx: ClientContext,
        run_id: Option<RunId>,
        args: serde_json::Value,
        place: Share,
        reads: ReadFirst,
    ) -> Result<(Option<Run>, LastingRequest), ProviderError> {
        let mut subject = RowSubject::new(args);
        subject.run_id = run_id;
        let read = run_id.filter(|_| reads != ReadFirst::No);
        self.lasting_request(ctx, subject, place, move |call| async move {
            let Some(id) = read else { return Ok(None) };
            let run = call.exchange_for_run(id, RequestType::GetRun, Why::Asked, move |api, to| {
                api.get_run(to, id, &[])
            });
            match run.await {
                Ok(run) => Ok(Some(run)),
                Err(_) if reads == ReadFirst::IfPossible => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

async fn look(call: &Call, runs: &[RunToLookAt]) -> Result<Vec<Looked>, ProviderError> {
    let asked: BTreeSet<RunId> = runs
        .iter()
        .filter(|run| !run.is_detailed)
        .map(|run| run.run_id)
        .collect();
    let mut seen = BTreeMap::new();
    let mut error = None;
    if !asked.is_empty() {
        match list(call, &asked).await {
            Ok(listed) => seen = listed,
            Err(failed) => error = Some(failed),
        }
    }
    let mut looked = Vec::with_capacity(runs.len());
    let mut singles = 0;
    for run in runs {
        let listed = seen.remove(&run.run_id).map(|found| Look::Seen(Box::new(found), None));
        let look = match listed {
            Some(look) => look,
            None if run.is_detailed => single(call, *run, &mut error).await,
            None if error.is_some() || singles == MAX_SINGLE_READS => Look::Unknown,
            None => {
                singles += 1;
                single(call, *run, &mut error).await
            }
        };
        looked.push(Looked {
            run_id: run.run_id,
            look,
        });
    }
    match error {
        Some(error) if looked.iter().all(|looked| matches!(looked.look, Look::Unknown)) => Err(error.into()),
        _ => Ok(looked),
    }
}

async fn list(call: &Call, asked: &BTreeSet<RunId>) -> Result<BTreeMap<RunId, Run>, ApiError> {
    let filter = RunFilter {
        run_id: asked.iter().copied().collect(),
        ..RunFilter::default()
    };
    let slice = Slice::whole(0);
    let filter = &filter;
    let list = call.exchange(RequestType::ListRuns, Why::Poll, move |api, to| {
        api.list_runs(to, filter, slice)
    });
    let listed = list.await?.items;
    let (wanted, other): (Vec<Run>, Vec<Run>) = listed.into_iter().partition(|run| asked.contains(&run.id));
    if !other.is_empty() {
        tracing::warn!(
            account_id = %call.account_id(),
            "dbt Cloud ignores the filter pk__in: watched runs are read singly, a few at a time"
        );
    }
    Ok(wanted.into_iter().map(|run| (run.id, run)).collect())
}

/// An error ends the single reads: dbt Cloud is asked again at the next look.
async fn single(call: &Call, run: RunToLookAt, error: &mut Option<ApiError>) -> Look {
    if error.is_some() {
        return Look::Unknown;
    }
    let id = run.run_id;
    let related: &[RunRelated] = if run.is_detailed { &[RunRelated::RunSteps] } else { &[] };
    let read = call.exchange_about(id, RequestType::GetRun, Why::Poll, move |api, to| {
        api.get_run(to, id, related)
    });
    match read.await {
        Ok(mut found) => {
            // Without the list of its steps, its status still counts.
            let steps = run.is_detailed.then(|| found.steps().ok()).flatten();
            found.run_steps = None;
            Look::Seen(Box::new(found), steps)
        }
        Err(ApiError::NotFound { .. }) => Look::Missing,
        Err(failed) => {
            *error = Some(failed);
            Look::Unknown
        }
    }
}
