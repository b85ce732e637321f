//! What this process holds of one budget, and the requests that wait for it. No I/O: `lessor.rs` fetches the slices.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dbt_api::{ApiError, Shortage};
use shares::Owner;
use storage::{BudgetKey, BudgetLimits, LEASE, PerClass, PriorityClass, Slice, StorageError};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::fair_queue::FairQueue;

/// While reads wait, a process asks at most this often.
const SHORT_PAUSE: Duration = Duration::from_millis(250);
/// While a change waits, at most this often.
const CHANGE_PAUSE: Duration = Duration::from_millis(10);
/// At least this often, since another replica may free more than expected.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// A refused caller is told to come back within these.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// The right to send one request, until `expires`.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) expires: Instant,
    /// The request tries whether dbt Cloud answers again.
    pub(super) is_probe: bool,
}

/// Why a request is not sent.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    Short(Duration),
    Cooldown(Duration),
    Unavailable(Arc<StorageError>),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (shortage, retry_after) = match refusal {
            Refusal::Short(wait) => (Shortage::UsedUp, wait),
            Refusal::Cooldown(wait) => (Shortage::Cooldown, wait),
            Refusal::Unavailable(error) => return Self::BudgetUnavailable(error.into()),
        };
        Self::BudgetExhausted { shortage, retry_after }
    }
}

impl Refusal {
    /// The label of the metrics.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Short(_) => "used_up",
            Self::Cooldown(_) => "cooldown",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

pub(super) type Grant = Result<Token, Refusal>;

/// One budget in this process.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) key: BudgetKey,
    pub(super) limits: BudgetLimits,
    /// A change has begun to wait.
    pub(super) change_waits: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    slices: VecDeque<Held>,
    queues: [FairQueue<oneshot::Sender<Grant>>; 3],
    blocked_until: Option<Instant>,
    /// A task fetches slices.
    has_lessor: bool,
    /// The last slice was smaller than wanted.
    is_short: bool,
    used: Rate,
    last_use: Instant,
}

/// What is left of a slice.
#[derive(Debug)]
struct Held {
    left: PerClass,
    expires: Instant,
    is_probe: bool,
}

/// Requests of this second and the one before.
#[derive(Debug)]
struct Rate {
    second: Instant,
    current: i64,
    previous: i64,
}

impl Rate {
    fn add(&mut self, now: Instant) {
        self.roll(now);
        self.current += 1;
    }

    fn roll(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.second).as_secs();
        if seconds > 0 {
            self.previous = if seconds == 1 { self.current } else { 0 };
            self.current = 0;
            self.second = now;
        }
    }
}

/// A request in the queue. Dropped, it leaves the queue.
pub(super) struct Waiting<'a> {
    bucket: &'a Bucket,
    class: PriorityClass,
    owner: &'a Owner,
    id: u64,
    pub(super) granted: oneshot::Receiver<Grant>,
    /// The caller starts the task that fetches slices.
    pub(super) starts_lessor: bool,
}

impl Waiting<'_> {
    /// The end of the wait: the token if it came at the last moment.
    pub(super) fn give_up(mut self) -> Grant {
        let state = self.bucket.state();
        self.granted.close();
        self.granted
            .try_recv()
            .unwrap_or_else(|_| Err(Refusal::Short(self.bucket.retry_after(&state))))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.bucket.state().queues[index(self.class)].remove(self.owner, self.id);
    }
}

fn index(class: PriorityClass) -> usize {
    match class {
        PriorityClass::Changes => 0,
        PriorityClass::Reads => 1,
        PriorityClass::Background => 2,
    }
}

/// Whose tokens a class may use, its own first. Reads of callers and of the background use each other's only while no request
/// of the other class waits.
fn sources(class: PriorityClass, other_waits: bool) -> &'static [PriorityClass] {
    use PriorityClass::{Background, Changes, Reads};
    match (class, other_waits) {
        (Changes, _) => &[Changes, Reads, Background],
        (Reads, false) => &[Reads, Background],
        (Reads, true) => &[Reads],
        (Background, false) => &[Background, Reads],
        (Background, true) => &[Background],
    }
}

impl Bucket {
    pub(super) fn new(key: BudgetKey, limits: BudgetLimits) -> Self {
        let now = Instant::now();
        Self {
            key,
            limits,
            change_waits: Notify::new(),
            state: Mutex::new(State {
                slices: VecDeque::new(),
                queues: Default::default(),
                blocked_until: None,
                has_lessor: false,
                is_short: false,
                used: Rate {
                    second: now,
                    current: 0,
                    previous: 0,
                },
                last_use: now,
            }),
        }
    }

    /// Takes a token, or queues for one.
    ///
    /// # Errors
    /// The refusal, where waiting is in vain.
    pub(super) fn take<'a>(
        &'a self,
        class: PriorityClass,
        owner: &'a Owner,
        until: Instant,
    ) -> Result<Result<Token, Waiting<'a>>, Refusal> {
        let now = Instant::now();
        let mut state = self.state();
        state.last_use = now;
        if let Some(left) = state.blocked(now) {
            return Err(Refusal::Cooldown(at_least_a_moment(left)));
        }
        if let Some(token) = state.token(class, now) {
            return Ok(Ok(token));
        }
        // At best this process gets everything, and this key every second one: if that is too late, waiting is in vain.
        let earlier = u32::try_from(state.queues[index(class)].len_of(owner)).unwrap_or(u32::MAX);
        let burst = u32::try_from(self.limits.burst).unwrap_or(u32::MAX);
        let soonest = self.interval().saturating_mul(earlier.saturating_sub(burst));
        if now + soonest > until {
            return Err(Refusal::Short(self.retry_after(&state)));
        }
        let (sender, granted) = oneshot::channel();
        let id = state.queues[index(class)].push(owner, sender);
        let starts_lessor = !std::mem::replace(&mut state.has_lessor, true);
        drop(state);
        if class == PriorityClass::Changes && !starts_lessor {
            self.change_waits.notify_one();
        }
        Ok(Err(Waiting {
            bucket: self,
            class,
            owner,
            id,
            granted,
            starts_lessor,
        }))
    }

    /// What to ask for; `None` if no request waits, and then no task fetches slices any more.
    pub(super) fn wanted(&self) -> Option<PerClass> {
        let mut guard = self.state();
        let state = &mut *guard;
        let now = Instant::now();
        state.serve(now);
        let waiting = |class| i64::try_from(state.queues[index(class)].len()).unwrap_or(i64::MAX);
        let mut wanted = PerClass {
            changes: waiting(PriorityClass::Changes),
            reads: waiting(PriorityClass::Reads),
            background: waiting(PriorityClass::Background),
        };
        if wanted.sum() == 0 {
            state.has_lessor = false;
            return None;
        }
        if !state.is_short {
            // About what the next second needs, so that a busy process asks once a second.
            state.used.roll(now);
            wanted.reads += state.used.previous.max(state.used.current).min(self.limits.burst / 2);
        }
        for class in PriorityClass::ALL {
            let number = wanted.get_mut(class);
            *number = (*number).min(self.limits.burst);
        }
        Some(wanted)
    }

    /// Distributes a slice that was asked for at `begun`. Returns when to ask again, if requests still wait.
    pub(super) fn accept(&self, slice: &Slice, wanted: PerClass, begun: Instant) -> Option<Duration> {
        let now = Instant::now();
        if !slice.cooldown.is_zero() {
            self.block(slice.cooldown);
            return None;
        }
        let mut state = self.state();
        state.is_short = slice.granted != wanted;
        if slice.granted.sum() > 0 {
            state.slices.push_back(Held {
                left: slice.granted,
                expires: begun + LEASE,
                is_probe: slice.is_probe,
            });
        }
        state.serve(now);
        let change_waits = state.queues[index(PriorityClass::Changes)].len() > 0;
        let waits = state.queues.iter().any(|queue| queue.len() > 0);
        // Replicas that are short at the same time must not ask in step: the time of the answer differs.
        let jitter = Duration::from_millis(u64::from(begun.elapsed().subsec_micros() % 32));
        waits.then(|| match (change_waits, state.is_short) {
            (_, false) => Duration::ZERO,
            (true, true) => slice.next_in.clamp(CHANGE_PAUSE, LONG_PAUSE),
            (false, true) => slice.next_in.clamp(SHORT_PAUSE, LONG_PAUSE) + jitter,
        })
    }

    /// Nothing is sent for that long; what is held lapses, and those who wait are refused.
    pub(super) fn block(&self, left: Duration) {
        let mut state = self.state();
        let until = Instant::now() + left;
        state.blocked_until = state.blocked_until.max(Some(until));
        state.slices.clear();
        drop(state);
        self.refuse_all(&Refusal::Cooldown(at_least_a_moment(left)));
    }

    /// The rest of the cooldown that this process knows of.
    pub(super) fn blocked(&self) -> Option<Duration> {
        self.state().blocked(Instant::now())
    }

    /// Refuses all who wait.
    pub(super) fn refuse_all(&self, refusal: &Refusal) {
        let mut state = self.state();
        let waiting: Vec<_> = state.queues.iter_mut().flat_map(FairQueue::drain).collect();
        drop(state);
        for granted in waiting {
            // The request may have left.
            drop(granted.send(Err(refusal.clone())));
        }
    }

    /// No task fetches slices any more: it has failed.
    pub(super) fn lessor_ended(&self) {
        self.state().has_lessor = false;
    }

    /// How many requests of each class wait.
    pub(super) fn waiting(&self) -> [usize; 3] {
        let state = self.state();
        [0, 1, 2].map(|class| state.queues[class].len())
    }

    /// Whether it was not used for that long.
    pub(super) fn is_idle(&self, for_at_least: Duration) -> bool {
        let state = self.state();
        !state.has_lessor && state.last_use.elapsed() >= for_at_least && state.blocked(Instant::now()).is_none()
    }

    fn interval(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.limits.interval).unwrap_or(0))
    }

    /// When the requests that wait here now will have been sent.
    fn retry_after(&self, state: &State) -> Duration {
        let waiting: usize = state.queues.iter().map(FairQueue::len).sum();
        let wait = self
            .interval()
            .saturating_mul(u32::try_from(waiting + 1).unwrap_or(u32::MAX));
        wait.clamp(SHORTEST_RETRY, LONGEST_RETRY)
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn blocked(&self, now: Instant) -> Option<Duration> {
        self.blocked_until.filter(|until| *until > now).map(|until| until - now)
    }

    /// A token that this class may use.
    fn token(&mut self, class: PriorityClass, now: Instant) -> Option<Token> {
        let other = match class {
            PriorityClass::Background => PriorityClass::Reads,
            _ => PriorityClass::Background,
        };
        let sources = sources(class, self.queues[index(other)].len() > 0);
        while self.slices.front().is_some_and(|slice| slice.expires <= now) {
            self.slices.pop_front();
        }
        for slice in &mut self.slices {
            let Some(source) = sources.iter().find(|source| slice.left.get(**source) > 0) else {
                continue;
            };
            *slice.left.get_mut(*source) -= 1;
            let token = Token {
                expires: slice.expires,
                is_probe: slice.is_probe,
            };
            if slice.left.sum() == 0 {
                let expires = token.expires;
                self.slices
                    .retain(|slice| slice.expires != expires || slice.left.sum() > 0);
            }
            self.used.add(now);
            return Some(token);
        }
        None
    }

    /// Hands what is held to those who wait: to each class what was leased for it, then what is left.
    fn serve(&mut self, now: Instant) {
        for class in PriorityClass::ALL {
            while self.queues[index(class)].len() > 0 {
                let Some(mut token) = self.token(class, now) else {
                    break;
                };
                // Requests that have left meanwhile leave the token to the next one.
                while let Some(granted) = self.queues[index(class)].pop() {
                    match granted.send(Ok(token)) {
                        Err(Ok(back)) => token = back,
                        Ok(()) | Err(Err(_)) => break,
                    }
                }
            }
        }
    }
}

/// Seconds are rounded up for callers; zero would say "at once".
fn at_least_a_moment(left: Duration) -> Duration {
    left.max(Duration::from_millis(1))
}
