//! Following the events of a run, or of an account's runs.

use std::sync::Arc;

use model::{ClientContext, RequestType, RunId, Target};
use provider::{LastingRequest, ReadFirst};
use serde_json::json;
use storage::{EventFilter, EventKind, Interest, RunEvent, RunKey, StorageError};
use tokio::sync::broadcast::{self, error::RecvError};

use super::hub::{Following, Hub, KeyUse, Wanted};
use super::live_event::LiveEvent;
use super::wait::{over, read_first, stream_of};
use crate::shared::Shared;
use crate::{ClientError, DbtClient};

/// Events that are read with one statement, and sent at once.
const PAGE: i64 = 500;
/// For how long a run is watched that a caller follows, before it is renewed.
const FOLLOWED: std::time::Duration = std::time::Duration::from_mins(1);

/// The result of following.
pub enum Followed {
    /// Events come.
    Events(Box<EventListener>),
    /// The run has ended, and the caller has all its events.
    Finished,
}

/// What comes next.
#[derive(Debug)]
pub enum NextEvents {
    /// Events, the oldest first.
    Events(Vec<Arc<LiveEvent>>),
    /// Events are missing. It goes on after that number.
    Gap(i64),
    /// The end: the run has ended.
    End,
    /// The stream breaks off: the caller connects again.
    Break,
}

/// A page of events.
#[derive(Debug)]
pub struct EventsPage {
    /// The oldest first.
    pub events: Vec<RunEvent>,
    /// From where to go on.
    pub next: i64,
    /// Events are missing before this one.
    pub gap: Option<i64>,
    /// Whether no further event comes: the run has ended.
    pub is_finished: bool,
}

impl DbtClient {
    /// Follows the events of a run, after that number, or from its first one. While a caller does, its steps and logs are
    /// read too.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::TooManyStreams`].
    pub async fn list_run_events(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        after: Option<i64>,
    ) -> Result<Followed, ClientError> {
        self.begin_run(target, run_id, after).await?.follow().await
    }

    /// A page of the events of a run, after that number, or from its first one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn page_run_events(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        after: Option<i64>,
    ) -> Result<EventsPage, ClientError> {
        self.begin_run(target, run_id, after).await?.page().await
    }

    /// Follows the events of an account's runs after that number, or from now on. While a caller does, runs are found that
    /// were started elsewhere.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::TooManyStreams`].
    pub async fn list_events(
        self,
        target: impl Into<Target>,
        filter: EventFilter,
        after: Option<i64>,
    ) -> Result<Followed, ClientError> {
        self.begin_account(target, filter, after).await?.follow().await
    }

    /// A page of the events of an account's runs after that number, or the position from where to go on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn page_events(
        self,
        target: impl Into<Target>,
        filter: EventFilter,
        after: Option<i64>,
    ) -> Result<EventsPage, ClientError> {
        self.begin_account(target, filter, after).await?.page().await
    }

    async fn begin_run(
        self,
        target: impl Into<Target>,
        run_id: RunId,
        after: Option<i64>,
    ) -> Result<Beginning, ClientError> {
        let shared = Arc::clone(&self.shared);
        let key_use = self.use_key()?;
        let place = shared.shares.event_streams.try_take(&self.owner(), 1)?;
        let (provider, ctx) = self.admit(RequestType::ListRunEvents, target).await?;
        let upstream = Arc::clone(ctx.to());
        let run = RunKey {
            stream: stream_of(ctx.caller().company_id, &upstream),
            run_id,
        };
        let reads = read_first(&shared, &run, &upstream).await?;
        let args = json!({ "run_id": run_id, "after": after });
        let (_, lasting) = provider.begin_lasting(ctx, Some(run_id), args, place, reads).await?;
        let interest = Interest {
            detailed: FOLLOWED,
            ..Interest::default()
        };
        let state = shared.hub.watches.watch(&run, &upstream.name, interest).await?;
        let wanted = shared.hub.want_details(state.id);
        // After the state: where that has ended, all its events are up to the newest one.
        let following = shared.hub.follow(&run.stream).await?;
        Ok(Beginning {
            hub: Arc::clone(&shared.hub),
            is_over: over(&state).is_some(),
            after: after.unwrap_or_default(),
            // From the first one: what is not kept any more is not missed.
            may_miss: after.is_some(),
            filter: EventFilter {
                run_id: Some(run_id),
                ..EventFilter::default()
            },
            following,
            wanted,
            key_use,
            lasting,
        })
    }

    async fn begin_account(
        self,
        target: impl Into<Target>,
        filter: EventFilter,
        after: Option<i64>,
    ) -> Result<Beginning, ClientError> {
        let shared: Arc<Shared> = Arc::clone(&self.shared);
        let key_use = self.use_key()?;
        let place = shared.shares.event_streams.try_take(&self.owner(), 1)?;
        let credentials = self.caller.credentials.clone();
        let (provider, ctx): (_, ClientContext) = self.admit(RequestType::ListEvents, target).await?;
        let upstream = Arc::clone(ctx.to());
        let stream = stream_of(ctx.caller().company_id, &upstream);
        let args = json!({
            "project_id": filter.project_id, "job_id": filter.job_id, "environment_id": filter.environment_id,
            "after": after,
        });
        let (_, lasting) = provider.begin_lasting(ctx, None, args, place, ReadFirst::No).await?;
        let following = shared.hub.follow(&stream).await?;
        let wanted = shared
            .hub
            .want_new_runs(following.stream, &stream, &upstream.name)
            .await?;
        Ok(Beginning {
            hub: Arc::clone(&shared.hub),
            is_over: false,
            after: after.unwrap_or(following.newest),
            may_miss: after.is_some(),
            filter: EventFilter { credentials, ..filter },
            following,
            wanted,
            key_use,
            lasting,
        })
    }

    fn use_key(&self) -> Result<KeyUse, ClientError> {
        let max = self.shared.settings.max_streams_per_key;
        let taken = self.shared.hub.use_key(self.caller.api_key_id, max);
        taken.ok_or(ClientError::TooManyStreams { max })
    }
}

/// A request for events, before it is known in which form they are sent.
struct Beginning {
    hub: Arc<Hub>,
    /// Whether the run has ended: its events are complete.
    is_over: bool,
    after: i64,
    /// Whether the caller has read up to `after`, so that a gap behind it matters.
    may_miss: bool,
    filter: EventFilter,
    following: Following,
    wanted: Wanted,
    key_use: KeyUse,
    lasting: LastingRequest,
}

impl Beginning {
    async fn page(self) -> Result<EventsPage, ClientError> {
        let until = self.following.newest.max(self.after);
        let page = self
            .hub
            .events
            .page(self.following.stream, &self.filter, (self.after, until), PAGE)
            .await?;
        let is_finished = self.is_over && page.read_to >= until;
        Ok(EventsPage {
            next: page.read_to,
            gap: page.gap.filter(|_| self.may_miss),
            events: page.events,
            is_finished,
        })
    }

    async fn follow(self) -> Result<Followed, ClientError> {
        let (before, receiver) = self.following.subscribe().ok_or(ClientError::StreamEnded)?;
        let mut listener = EventListener {
            until: if self.is_over { self.following.newest } else { before },
            sent: self.after,
            is_over: self.is_over,
            may_miss: self.may_miss,
            next: None,
            is_finished: false,
            hub: self.hub,
            filter: self.filter,
            receiver,
            following: self.following,
            _wanted: self.wanted,
            key_use: self.key_use,
            _lasting: self.lasting,
        };
        if listener.is_over {
            // All its events are in the database.
            let next = listener.catch_up().await?;
            if matches!(next, NextEvents::End) {
                return Ok(Followed::Finished);
            }
            listener.next = Some(next);
        }
        Ok(Followed::Events(Box::new(listener)))
    }
}

/// A caller that follows events. Its row is closed when it is dropped.
pub struct EventListener {
    hub: Arc<Hub>,
    filter: EventFilter,
    receiver: broadcast::Receiver<Arc<LiveEvent>>,
    /// Events up to this number are read from the database, later ones are received.
    until: i64,
    /// The number up to which the caller has the events.
    sent: i64,
    is_over: bool,
    may_miss: bool,
    /// What was read ahead.
    next: Option<NextEvents>,
    is_finished: bool,
    following: Following,
    _wanted: Wanted,
    key_use: KeyUse,
    _lasting: LastingRequest,
}

impl EventListener {
    /// What comes next. May be dropped and called again.
    pub async fn next(&mut self) -> NextEvents {
        if let Some(next) = self.next.take() {
            return next;
        }
        if self.is_finished {
            return NextEvents::End;
        }
        let (closing, revoked) = (self.hub.closing.clone(), self.key_use.revoked.clone());
        tokio::select! {
            next = self.read_or_receive() => next,
            () = closing.cancelled() => NextEvents::Break,
            () = revoked.cancelled() => NextEvents::Break,
        }
    }

    async fn read_or_receive(&mut self) -> NextEvents {
        if self.sent < self.until || self.is_over {
            match self.catch_up().await {
                Ok(NextEvents::Events(events)) if events.is_empty() => {}
                Ok(next) => return next,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "events cannot be read");
                    return NextEvents::Break;
                }
            }
        }
        loop {
            let first = match self.receiver.recv().await {
                Ok(event) => event,
                // It reads too slowly: it connects again, and goes on after what it has read.
                Err(RecvError::Lagged(_)) => {
                    self.next = Some(NextEvents::Break);
                    return NextEvents::Gap(self.sent);
                }
                Err(RecvError::Closed) => return NextEvents::Break,
            };
            let mut events = Vec::new();
            let mut next = Some(first);
            while let Some(event) = next.take() {
                let (seq, is_its) = (event.event.seq, self.filter.includes(&event.event.event));
                if seq > self.sent {
                    self.sent = seq;
                    if is_its {
                        self.is_finished |= self.ends(&event.event);
                        events.push(event);
                    }
                }
                if events.len() < 100 {
                    next = self.receiver.try_recv().ok();
                }
            }
            if !events.is_empty() {
                return NextEvents::Events(events);
            }
        }
    }

    /// Whether the stream of one run ends with this event.
    fn ends(&self, event: &RunEvent) -> bool {
        self.filter.run_id.is_some() && event.event.kind == EventKind::Ended
    }

    /// Events that were written before the caller was subscribed.
    async fn catch_up(&mut self) -> Result<NextEvents, StorageError> {
        let (stream, until) = (self.following.stream, self.until.max(self.sent));
        let page = self
            .hub
            .events
            .page(stream, &self.filter, (self.sent, until), PAGE)
            .await?;
        if let Some(oldest) = page.gap.filter(|_| self.may_miss) {
            self.sent = oldest - 1;
            return Ok(NextEvents::Gap(self.sent));
        }
        self.sent = page.read_to;
        self.is_finished |= page.events.iter().any(|event| self.ends(event));
        if page.events.is_empty() && self.is_over {
            return Ok(NextEvents::End);
        }
        let events = page.events.into_iter().map(|event| Arc::new(LiveEvent::new(event)));
        Ok(NextEvents::Events(events.collect()))
    }

    /// The number up to which the caller has the events.
    pub fn sent(&self) -> i64 {
        self.sent
    }
}
