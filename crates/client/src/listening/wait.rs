//! A caller that waits until a run has ended.

use std::sync::Arc;
use std::time::Duration;

use model::{
    Caller, ClientContext, RequestStamp, RequestType, Run, RunFailure, RunId, RunStatus, Surface, Target, Upstream,
};
use provider::ReadFirst;
use serde_json::json;
use storage::{Interest, NewWait, RunKey, StorageError, StreamKey, WatchState};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::shared::Shared;
use crate::{ClientError, DbtClient};

/// What becomes of the run when its caller no longer waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnEnd {
    /// It goes on.
    #[default]
    Leave,
    /// It is cancelled.
    Cancel,
}

/// How a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct WaitOptions {
    /// How long.
    pub timeout: Duration,
    /// What becomes of a run that has not ended by then.
    pub on_timeout: OnEnd,
    /// What becomes of the run if the caller disconnects.
    pub on_disconnect: OnEnd,
}

/// A run that was waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitedRun {
    /// The run as it was last seen.
    pub run: Run,
    /// Whether it has ended.
    pub is_over: bool,
    /// Why it failed, if the caller wants to know.
    pub failure: Option<RunFailure>,
}

impl WaitedRun {
    pub(crate) fn new(run: Run) -> Self {
        let is_over = run.status.is_some_and(RunStatus::is_terminal);
        Self {
            run,
            is_over,
            failure: None,
        }
    }

    fn read(json: &str) -> Option<Self> {
        Some(Self::new(serde_json::from_str(json).ok()?))
    }
}

/// A state younger than this is look enough at the deadline.
const FRESH: Duration = Duration::from_secs(2);
/// How much longer than its callers wait a run is watched.
const WATCHED_LONGER: Duration = Duration::from_mins(1);

impl DbtClient {
    /// Waits until a run has ended, or the time is up. Costs neither a place among the requests nor a connection to Postgres.
    ///
    /// # Errors
    /// [`ClientError`]; as for [`Self::get_run`].
    pub async fn wait_for_run(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        options: WaitOptions,
        wants_failure: bool,
    ) -> Result<WaitedRun, ClientError> {
        let (shared, owner) = (Arc::clone(&self.shared), self.owner());
        let caller = self.caller.clone();
        let (provider, ctx) = self.admit(RequestType::WaitForRun, target).await?;
        let place = shared.shares.waits.try_take(&owner, 1)?;
        let upstream = Arc::clone(ctx.to());
        let wait = RunWait::new(Arc::clone(&shared), &ctx, options);
        let args = json!({ "run_id": run_id, "timeout_seconds": options.timeout.as_secs() });
        let reads = read_first(&shared, &wait.key(run_id), &upstream).await?;
        let (read, lasting) = provider.begin_lasting(ctx, Some(run_id), args, place, reads).await?;
        let read = read.map(WaitedRun::new);
        let mut waited = match read {
            Some(waited) if waited.is_over => waited,
            read => wait.until_over(run_id, read.map(|waited| waited.run)).await?,
        };
        drop(lasting);
        if wants_failure && waited.run.status == Some(RunStatus::Error) {
            waited.failure = failure(&shared, caller, upstream, run_id).await;
        }
        Ok(waited)
    }
}

/// A wait of one request. Dropped before its end, the caller has disconnected.
pub(crate) struct RunWait {
    shared: Arc<Shared>,
    request_uuid: Uuid,
    stream: StreamKey,
    upstream: Arc<Upstream>,
    options: WaitOptions,
    run_id: Option<RunId>,
    is_recorded: bool,
    is_ended: bool,
}

impl RunWait {
    pub(crate) fn new(shared: Arc<Shared>, ctx: &ClientContext, options: WaitOptions) -> Self {
        let upstream = Arc::clone(ctx.to());
        Self {
            shared,
            request_uuid: ctx.request_uuid(),
            stream: stream_of(ctx.caller().company_id, &upstream),
            upstream,
            options,
            run_id: None,
            is_recorded: false,
            is_ended: false,
        }
    }

    /// Ends a wait whose run was not started.
    pub(crate) fn not_started(mut self) {
        self.is_ended = true;
    }

    /// Waits until the run has ended or the time is up. `known`: the run as the caller would see it now.
    pub(crate) async fn until_over(mut self, run_id: RunId, known: Option<Run>) -> Result<WaitedRun, ClientError> {
        self.run_id = Some(run_id);
        let waited = self.wait(run_id, known).await;
        self.is_ended = true;
        if !self.is_recorded {
            return waited;
        }
        let (watches, request) = (self.shared.hub.watches.clone(), self.request_uuid);
        let is_late = waited.as_ref().is_ok_and(|waited| !waited.is_over) && !self.shared.hub.closing.is_cancelled();
        if is_late && self.options.on_timeout == OnEnd::Cancel {
            if let Err(error) = watches.cancel_after_wait(request, None).await {
                // The row says that it cancels at its deadline.
                warn(&error);
            }
        } else {
            tokio::spawn(async move {
                if let Err(error) = watches.end_wait(request).await {
                    warn(&error);
                }
            });
        }
        waited
    }

    async fn wait(&mut self, run_id: RunId, known: Option<Run>) -> Result<WaitedRun, ClientError> {
        let shared = Arc::clone(&self.shared);
        let hub = &shared.hub;
        let following = hub.follow(&self.stream).await?;
        let mut waiter = following.wait(run_id).ok_or(ClientError::StreamEnded)?;
        let timeout = self.options.timeout;
        let interest = Interest {
            watched: timeout + WATCHED_LONGER,
            waited: timeout,
            ..Interest::default()
        };
        // After the waiter: an end before that is in the state.
        let state = hub
            .watches
            .watch(&self.key(run_id), &self.upstream.name, interest)
            .await?;
        if let Some(waited) = over(&state) {
            return Ok(waited);
        }
        hub.watches.begin_wait(&self.row(Some(run_id))).await?;
        self.is_recorded = true;
        let deadline = Instant::now() + timeout;
        let last_look = deadline.checked_sub(FRESH).unwrap_or(deadline);
        tokio::select! {
            Some(end) = waiter.ended() => return WaitedRun::read(&end).ok_or(ClientError::StreamEnded),
            () = sleep_until(last_look) => hub.look_now(state.id),
            () = hub.closing.cancelled() => {}
        }
        tokio::select! {
            Some(end) = waiter.ended() => return WaitedRun::read(&end).ok_or(ClientError::StreamEnded),
            () = sleep_until(deadline) => {}
            () = hub.closing.cancelled() => {}
        }
        let state = hub.watch_state(state.id).await.unwrap_or(state);
        let seen = state.run.as_deref().and_then(WaitedRun::read);
        Ok(seen.or(known.map(WaitedRun::new)).unwrap_or_else(|| unseen(run_id)))
    }

    fn key(&self, run_id: RunId) -> RunKey {
        RunKey {
            stream: self.stream.clone(),
            run_id,
        }
    }

    fn row(&self, run_id: Option<RunId>) -> NewWait {
        NewWait {
            request_uuid: self.request_uuid,
            stream: self.stream.clone(),
            run_id,
            credential: self.upstream.name.clone(),
            timeout: self.options.timeout,
            cancels_late: self.options.on_timeout == OnEnd::Cancel,
        }
    }
}

impl Drop for RunWait {
    fn drop(&mut self) {
        // A stop of the process is no disconnection.
        let cancels = self.options.on_disconnect == OnEnd::Cancel && !self.shared.hub.closing.is_cancelled();
        if self.is_ended || !(self.is_recorded || cancels) {
            return;
        }
        let (watches, request) = (self.shared.hub.watches.clone(), self.request_uuid);
        let grace = self.shared.settings.disconnect_grace;
        let row = self.row(self.run_id);
        let is_recorded = self.is_recorded;
        tokio::spawn(async move {
            let ended = match (cancels, is_recorded) {
                (true, true) => watches.cancel_after_wait(request, Some(grace)).await,
                (true, false) => watches.disconnected_before(&row, grace).await,
                (false, _) => watches.end_wait(request).await,
            };
            if let Err(error) = ended {
                warn(&error);
            }
        });
    }
}

/// Why a run failed; `None` where that cannot be read. With a row of its own.
async fn failure(shared: &Shared, caller: Caller, upstream: Arc<Upstream>, run_id: RunId) -> Option<RunFailure> {
    let stamp = RequestStamp::now(&*shared.clock, Surface::Internal, None);
    let (provider, ctx) = shared.internal_context(stamp, RequestType::GetRunFailure, caller, upstream);
    match provider.get_run_failure(ctx, run_id).await {
        Ok(failure) => Some(failure),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "why a run failed cannot be read"
            );
            None
        }
    }
}

/// The stream of the events of a company's runs in the account of that credential.
pub(crate) fn stream_of(company_id: model::CompanyId, upstream: &Upstream) -> StreamKey {
    StreamKey {
        company_id,
        host: upstream.admin_url.host_str().unwrap_or_default().to_owned(),
        account_id: upstream.account_id,
    }
}

/// Whether a run is read before a caller waits for it or listens to it. Not if that credential has seen it; what another one
/// sees, this one may not be allowed to see.
pub(super) async fn read_first(shared: &Shared, run: &RunKey, upstream: &Upstream) -> Result<ReadFirst, ClientError> {
    let watch = shared.hub.watches.find(run).await?;
    Ok(match watch.filter(|watch| watch.credential == upstream.name) {
        None => ReadFirst::Yes,
        Some(WatchState { run: None, .. }) => ReadFirst::IfPossible,
        Some(_) => ReadFirst::No,
    })
}

/// The run of a watch, if it has ended.
pub(super) fn over(state: &WatchState) -> Option<WaitedRun> {
    WaitedRun::read(state.run.as_deref()?).filter(|waited| waited.is_over)
}

/// A run that was started and could not be read since.
fn unseen(run_id: RunId) -> WaitedRun {
    let run = json!({ "id": run_id }).to_string();
    let run = serde_json::from_str(&run).expect("a run has no other field that it needs");
    WaitedRun::new(run)
}

fn warn(error: &StorageError) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "the end of a wait was not recorded"
    );
}
