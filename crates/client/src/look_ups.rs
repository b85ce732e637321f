//! Look-ups that belong to no caller: each runs in a task of its own with a deadline, all callers with the same key share
//! it, and a caller that goes away cancels nothing. What was found is cached for a short time.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use moka::sync::Cache;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

/// Look-ups in flight. Beyond it, callers with other keys are refused at once: the database does not keep up.
const MAX_IN_FLIGHT: usize = 1000;

/// How long callers share a look-up at least, so that a crowd starts one even if nothing is cached.
const MIN_SHARED: Duration = Duration::from_millis(500);

/// How a look-up ended without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookUpFailure<E> {
    /// The error of the source.
    Source(E),
    /// The deadline passed, or too many look-ups are in flight.
    Late,
}

type Answer<V, E> = Result<V, LookUpFailure<E>>;

/// The look-ups of one kind. Cheap to clone.
pub(crate) struct LookUps<K, V, E>(Arc<Inner<K, V, E>>);

struct Inner<K, V, E> {
    found: Cache<K, Found<V>>,
    /// The greatest age of a value, from the start of its look-up.
    ttl: Duration,
    in_flight: Mutex<HashMap<K, Flight<V, E>>>,
    limit: Duration,
    /// Number of look-ups so far.
    started: AtomicU64,
}

/// A value, and when its look-up started: what changed later may not be in it.
#[derive(Clone)]
struct Found<V> {
    started_at: Instant,
    value: V,
}

struct Flight<V, E> {
    /// Tells this look-up from a later one with the same key.
    number: u64,
    started_at: Instant,
    answer: Shared<BoxFuture<'static, Answer<V, E>>>,
}

impl<K, V, E> LookUps<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Values are cached until `ttl` after the start of their look-up, at most `capacity`; `limit` is the deadline of a
    /// look-up.
    pub(crate) fn new(ttl: Duration, capacity: u64, limit: Duration) -> Self {
        Self(Arc::new(Inner {
            found: Cache::builder().max_capacity(capacity).time_to_live(ttl).build(),
            ttl,
            in_flight: Mutex::default(),
            limit,
            started: AtomicU64::new(0),
        }))
    }

    /// The cached value, else that of the look-up in flight, else that of a new one.
    ///
    /// # Errors
    /// [`LookUpFailure`]; nothing of it is cached.
    pub(crate) async fn get<Find>(&self, key: &K, find: impl FnOnce() -> Find) -> Answer<V, E>
    where
        Find: Future<Output = Result<V, E>> + Send + 'static,
    {
        if let Some(found) = self.0.found.get(key).filter(|found| self.0.is_fresh(found.started_at)) {
            return Ok(found.value);
        }
        let Some(answer) = self.join_or_start(key, find) else {
            return Err(LookUpFailure::Late);
        };
        answer.await
    }

    fn join_or_start<Find>(
        &self,
        key: &K,
        find: impl FnOnce() -> Find,
    ) -> Option<Shared<BoxFuture<'static, Answer<V, E>>>>
    where
        Find: Future<Output = Result<V, E>> + Send + 'static,
    {
        let mut in_flight = self.0.in_flight();
        // One that started long ago may have read what has changed since: the next one replaces it.
        if let Some(flight) = in_flight.get(key).filter(|flight| self.0.may_be_joined(flight)) {
            return Some(flight.answer.clone());
        }
        if in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let number = self.0.started.fetch_add(1, Ordering::Relaxed);
        let (inner, key_found, find) = (Arc::clone(&self.0), key.clone(), find());
        // In a task: dropping a handle does not end it.
        let task = tokio::spawn(
            async move {
                let found = timeout(inner.limit, find).await;
                let answer = match found {
                    Ok(found) => found.map_err(LookUpFailure::Source),
                    Err(_) => Err(LookUpFailure::Late),
                };
                inner.end(&key_found, number, &answer);
                answer
            }
            .in_current_span(),
        );
        let inner = Arc::clone(&self.0);
        let key_panicked = key.clone();
        let answer = task
            .map(move |joined| {
                joined.unwrap_or_else(|_| {
                    let panicked = Err(LookUpFailure::Late);
                    inner.end(&key_panicked, number, &panicked);
                    panicked
                })
            })
            .boxed()
            .shared();
        let flight = Flight {
            number,
            started_at: Instant::now(),
            answer: answer.clone(),
        };
        in_flight.insert(key.clone(), flight);
        Some(answer)
    }

    /// Forgets one value. A look-up of it that is in flight began before the change: it is not cached.
    pub(crate) fn forget(&self, key: &K) {
        let mut in_flight = self.0.in_flight();
        in_flight.remove(key);
        self.0.found.invalidate(key);
    }

    /// Forgets the values that fulfil the condition. No look-up that is in flight is cached: its value is unknown.
    pub(crate) fn forget_where(&self, condition: impl Fn(&V) -> bool) {
        let mut in_flight = self.0.in_flight();
        in_flight.clear();
        for (key, value) in &self.0.found {
            if condition(&value.value) {
                self.0.found.invalidate(key.as_ref());
            }
        }
    }
}

impl<K, V, E> Inner<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Caches the value unless it was forgotten meanwhile. Holds the lock, so that `forget` comes before or after.
    fn end(&self, key: &K, number: u64, answer: &Answer<V, E>) {
        let mut in_flight = self.in_flight();
        if in_flight.get(key).is_none_or(|flight| flight.number != number) {
            return;
        }
        let Some(Flight { started_at, .. }) = in_flight.remove(key) else {
            return;
        };
        if let Ok(value) = answer
            && self.is_fresh(started_at)
        {
            let value = value.clone();
            self.found.insert(key.clone(), Found { started_at, value });
        }
    }

    fn is_fresh(&self, started_at: Instant) -> bool {
        started_at.elapsed() < self.ttl
    }

    fn may_be_joined(&self, flight: &Flight<V, E>) -> bool {
        flight.started_at.elapsed() <= self.ttl.max(MIN_SHARED)
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<K, Flight<V, E>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, E> Clone for LookUps<K, V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V, E> fmt::Debug for LookUps<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookUps").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::watch;

    use super::*;

    const TTL: Duration = Duration::from_mins(1);
    const LIMIT: Duration = Duration::from_secs(5);

    /// A source that answers once it is open, and counts.
    struct Source {
        is_open: watch::Sender<bool>,
        asked: Arc<AtomicUsize>,
        look_ups: LookUps<u8, usize, &'static str>,
    }

    impl Source {
        fn new(is_open: bool) -> Self {
            Self {
                is_open: watch::Sender::new(is_open),
                asked: Arc::default(),
                look_ups: LookUps::new(TTL, 10, LIMIT),
            }
        }

        fn get(&self, key: u8) -> impl Future<Output = Answer<usize, &'static str>> + Send + 'static {
            let (mut is_open, asked) = (self.is_open.subscribe(), Arc::clone(&self.asked));
            let look_ups = self.look_ups.clone();
            async move {
                let find = || async move {
                    let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
                    is_open.wait_for(|is_open| *is_open).await.map_err(|_| "closed")?;
                    Ok(number)
                };
                look_ups.get(&key, find).await
            }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        async fn wait_until_asked(&self, times: usize) {
            while self.asked() < times {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_share_a_look_up_and_the_first_one_may_go() {
        let source = Source::new(false);
        let first = tokio::spawn(source.get(1));
        let second = tokio::spawn(source.get(1));
        source.wait_until_asked(1).await;
        first.abort();
        assert!(first.await.is_err());
        source.is_open.send_replace(true);
        assert_eq!(second.await.ok(), Some(Ok(1)));
        assert_eq!((source.get(1).await, source.asked()), (Ok(1), 1), "cached");
        assert_eq!(source.get(2).await, Ok(2), "another key");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_whose_callers_have_all_gone_is_cached() {
        let source = Source::new(false);
        let only = tokio::spawn(source.get(1));
        source.wait_until_asked(1).await;
        only.abort();
        source.is_open.send_replace(true);
        assert_eq!((source.get(1).await, source.asked()), (Ok(1), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_look_up_fails_its_callers_and_the_next_call_tries_anew() {
        let source = Source::new(false);
        let both = futures::future::join(source.get(1), source.get(1));
        assert_eq!(both.await, (Err(LookUpFailure::Late), Err(LookUpFailure::Late)));
        source.is_open.send_replace(true);
        assert_eq!((source.get(1).await, source.asked()), (Ok(2), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_that_began_before_a_change_is_not_cached_after_it() {
        let source = Source::new(false);
        let forget: [fn(&LookUps<_, _, _>); 2] = [
            |look_ups| look_ups.forget(&1),
            |look_ups| look_ups.forget_where(|_| false),
        ];
        for forget in forget {
            source.is_open.send_replace(false);
            source.look_ups.forget(&1);
            let asked = source.asked();
            let before = tokio::spawn(source.get(1));
            source.wait_until_asked(asked + 1).await;
            forget(&source.look_ups);
            source.is_open.send_replace(true);
            assert_eq!(
                before.await.ok(),
                Some(Ok(asked + 1)),
                "its caller asked before the change"
            );
            assert_eq!(source.get(1).await, Ok(asked + 2));
            assert_eq!(source.get(1).await, Ok(asked + 2), "this one is cached");
        }
    }

    /// A replica with a slow database: a key is not valid for longer than the TTL after it was read.
    #[tokio::test(start_paused = true)]
    async fn a_slow_look_up_is_neither_joined_nor_cached_after_its_value_is_too_old() {
        let look_ups = LookUps::new(Duration::from_secs(4), 10, Duration::from_mins(1));
        let source = Source {
            look_ups,
            ..Source::new(false)
        };
        let first = tokio::spawn(source.get(1));
        source.wait_until_asked(1).await;
        tokio::time::advance(Duration::from_secs(3)).await;
        let mut joined = source.get(1).boxed();
        assert!(joined.as_mut().now_or_never().is_none());
        tokio::time::advance(Duration::from_secs(2)).await;
        let anew = tokio::spawn(source.get(1));
        source.wait_until_asked(2).await;
        source.is_open.send_replace(true);
        assert_eq!((first.await.ok(), joined.await), (Some(Ok(1)), Ok(1)));
        assert_eq!(anew.await.ok(), Some(Ok(2)));
        assert_eq!(
            (source.get(1).await, source.asked()),
            (Ok(2), 2),
            "the later one is cached"
        );
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!((source.get(1).await, source.asked()), (Ok(3), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_concerned_is_forgotten() {
        let source = Source::new(true);
        assert_eq!((source.get(1).await, source.get(2).await), (Ok(1), Ok(2)));
        source.look_ups.forget(&1);
        assert_eq!((source.get(2).await, source.get(1).await), (Ok(2), Ok(3)));
        source.look_ups.forget_where(|number| *number == 2);
        assert_eq!((source.get(1).await, source.get(2).await), (Ok(3), Ok(4)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_not_cached() {
        let look_ups = LookUps::<u8, usize, &str>::new(TTL, 10, LIMIT);
        let failed = look_ups.get(&1, || async { Err("away") }).await;
        assert_eq!(failed, Err(LookUpFailure::Source("away")));
        assert_eq!(look_ups.get(&1, || async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_look_ups_in_flight_is_bounded() {
        let look_ups = LookUps::<usize, usize, &str>::new(TTL, 10, LIMIT);
        let waiting: Vec<_> = (0..MAX_IN_FLIGHT)
            .map(|key| {
                let look_ups = look_ups.clone();
                tokio::spawn(async move { look_ups.get(&key, std::future::pending).await })
            })
            .collect();
        // One task runs for each.
        for _ in 0..MAX_IN_FLIGHT {
            tokio::task::yield_now().await;
        }
        let refused = look_ups.get(&MAX_IN_FLIGHT, || async { Ok(1) }).await;
        assert_eq!(refused, Err(LookUpFailure::Late));
        for late in waiting {
            assert_eq!(late.await.ok(), Some(Err(LookUpFailure::Late)));
        }
        assert_eq!(look_ups.get(&MAX_IN_FLIGHT, || async { Ok(1) }).await, Ok(1));
    }
}
