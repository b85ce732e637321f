//! Which answers do not change any more: those about a run that ended a while ago.

use chrono::{DateTime, TimeDelta, Utc};
use http::header::CONTENT_ENCODING;
use model::{AccountId, RequestType, RunId, RunStatus, Timestamp, Upstream};
use moka::sync::Cache;
use serde::Deserialize;

use super::answer::WholeAnswer;

/// After its end dbt Cloud still writes a run's artifacts.
const SETTLES: TimeDelta = TimeDelta::minutes(1);
/// The longest run that is looked into, in bytes.
const MAX_RUN_BYTES: usize = 1 << 20;
/// The number of ended runs that are known.
const MAX_RUNS: u64 = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    host: String,
    account: AccountId,
    id: RunId,
}

/// The runs that ended, with the time of their end, as far as reads have shown it.
#[derive(Debug)]
pub(super) struct EndedRuns(Cache<Run, DateTime<Utc>>);

impl EndedRuns {
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_RUNS))
    }

    /// Whether the answer is about a run that ended more than a minute ago. Learns from answers which runs ended.
    pub(super) fn is_final(
        &self,
        operation: RequestType,
        to: &Upstream,
        path: &str,
        answer: &WholeAnswer,
        now: DateTime<Utc>,
    ) -> bool {
        let is_run = operation == RequestType::GetRun;
        if !is_run && !matches!(operation, RequestType::ListRunArtifacts | RequestType::GetRunArtifact) {
            return false;
        }
        let Some(run) = run_of(path) else {
            return false;
        };
        let run = Run {
            host: to.admin_url.authority().to_owned(),
            account: to.account_id,
            id: run,
        };
        let ended_at = if is_run {
            let ended_at = end_of(answer);
            if let Some(ended_at) = ended_at {
                self.0.insert(run, ended_at);
            }
            ended_at
        } else {
            self.0.get(&run)
        };
        ended_at.is_some_and(|ended_at| ended_at + SETTLES < now)
    }
}

/// The run in a path of dbt Cloud's: `/v2/accounts/1/runs/5/artifacts/`.
fn run_of(path: &str) -> Option<RunId> {
    let mut segments = path.split('/');
    segments.find(|segment| *segment == "runs")?;
    segments.next()?.parse().ok().map(RunId)
}

#[derive(Deserialize)]
struct Envelope {
    data: RunWire,
}

#[derive(Deserialize)]
struct RunWire {
    status: RunStatus,
    finished_at: Option<Timestamp>,
}

/// When the run in the answer ended; `None` if it goes on, or if the answer does not say so.
fn end_of(answer: &WholeAnswer) -> Option<DateTime<Utc>> {
    if answer.body.len() > MAX_RUN_BYTES || answer.headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let run = serde_json::from_slice::<Envelope>(&answer.body).ok()?.data;
    let ended_at = run.finished_at.filter(|_| run.status.is_terminal())?;
    Some(ended_at.0)
}
