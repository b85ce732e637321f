//! The circuit breaker of a credential at a host: after many failures no exchange is sent for a while, then one alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::BreakerSettings;

/// What an exchange says about dbt Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered, also with a 4xx.
    Works,
    /// An error, or no answer in time.
    Fails,
    /// Nothing: it was not asked.
    Unknown,
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Exchanges are sent.
    Closed,
    /// None is sent.
    Open,
    /// One is sent, to see whether dbt Cloud answers again.
    HalfOpen,
}

impl CircuitState {
    /// The spelling of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A step of the window.
const STEPS: usize = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// The number of the step since the start.
    step: u64,
    exchanges: u32,
    failures: u32,
}

#[derive(Debug)]
enum State {
    Closed([Count; STEPS]),
    Open {
        until: Instant,
        length: Duration,
        is_probed: bool,
    },
}

/// One circuit.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    start: Instant,
    state: Mutex<State>,
}

/// The permission to send one exchange. Dropped without a verdict, it says nothing.
pub(crate) struct Permit<'b> {
    breaker: &'b Breaker,
    is_probe: bool,
    verdict: Verdict,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            start: Instant::now(),
            state: Mutex::new(State::Closed(Default::default())),
        }
    }

    /// Permits an exchange, or says how long none is sent.
    pub(crate) fn admit(&self) -> Result<Permit<'_>, Duration> {
        let mut state = self.state();
        let is_probe = match &mut *state {
            State::Closed(_) => false,
            State::Open { until, is_probed, .. } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                if *is_probed {
                    // The probe's result is awaited.
                    return Err(self.settings.min_open);
                }
                *is_probed = true;
                true
            }
        };
        Ok(Permit {
            breaker: self,
            is_probe,
            verdict: Verdict::Unknown,
        })
    }

    /// Its state, and how long none is sent.
    pub(crate) fn seen(&self) -> (CircuitState, Duration) {
        match &*self.state() {
            State::Closed(_) => (CircuitState::Closed, Duration::ZERO),
            State::Open { until, .. } => match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => (CircuitState::HalfOpen, Duration::ZERO),
                left => (CircuitState::Open, left),
            },
        }
    }

    fn record(&self, is_probe: bool, verdict: Verdict) {
        let mut state = self.state();
        match (&mut *state, verdict) {
            (State::Open { is_probed, .. }, Verdict::Unknown) if is_probe => *is_probed = false,
            (State::Open { .. }, Verdict::Works) if is_probe => *state = State::Closed(Default::default()),
            (State::Open { length, .. }, Verdict::Fails) if is_probe => {
                let length = length.saturating_mul(2).min(self.settings.max_open);
                *state = open(length);
            }
            // Of an exchange that was sent before the circuit opened.
            (State::Open { .. }, _) | (State::Closed(_), Verdict::Unknown) => {}
            (State::Closed(counts), verdict) => {
                if self.count(counts, verdict == Verdict::Fails) {
                    *state = open(self.settings.min_open);
                }
            }
        }
    }

    /// Counts an exchange. Returns whether too many failed.
    fn count(&self, counts: &mut [Count; STEPS], is_failure: bool) -> bool {
        let length = self.settings.window / u32::try_from(STEPS).unwrap_or(1);
        let step = u64::try_from(self.start.elapsed().as_nanos() / length.as_nanos().max(1)).unwrap_or(u64::MAX);
        let place = &mut counts[usize::try_from(step % STEPS as u64).unwrap_or(0)];
        if place.step != step {
            *place = Count {
                step,
                ..Count::default()
            };
        }
        place.exchanges += 1;
        place.failures += u32::from(is_failure);
        if !is_failure || self.settings.min_exchanges == 0 {
            return false;
        }
        let recent = counts.iter().filter(|count| count.step + (STEPS as u64) > step);
        let (exchanges, failures) = recent.fold((0_u32, 0_u32), |(exchanges, failures), count| {
            (exchanges + count.exchanges, failures + count.failures)
        });
        exchanges >= self.settings.min_exchanges
            && u64::from(failures) * 100 >= u64::from(exchanges) * u64::from(self.settings.failure_percent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(length: Duration) -> State {
    State::Open {
        until: Instant::now() + length,
        length,
        is_probed: false,
    }
}

impl Permit<'_> {
    /// Records what the exchange said.
    pub(crate) fn record(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.record(self.is_probe, self.verdict);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        min_exchanges: 4,
        failure_percent: 50,
        window: Duration::from_secs(10),
        min_open: Duration::from_secs(2),
        max_open: Duration::from_secs(5),
    };

    fn exchange(breaker: &Breaker, verdict: Verdict) -> bool {
        breaker.admit().map(|permit| permit.record(verdict)).is_ok()
    }

    fn opened() -> Breaker {
        let breaker = Breaker::new(SETTINGS);
        for _ in 0..4 {
            assert!(exchange(&breaker, Verdict::Fails));
        }
        assert_eq!(breaker.seen(), (CircuitState::Open, SETTINGS.min_open));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_once_half_of_at_least_four_exchanges_failed() {
        let breaker = Breaker::new(SETTINGS);
        for verdict in [
            Verdict::Works,
            Verdict::Works,
            Verdict::Works,
            Verdict::Fails,
            Verdict::Fails,
        ] {
            assert!(exchange(&breaker, verdict));
        }
        assert_eq!(breaker.seen().0, CircuitState::Closed, "two of five");
        assert!(exchange(&breaker, Verdict::Unknown));
        assert!(exchange(&breaker, Verdict::Fails));
        assert!(!exchange(&breaker, Verdict::Works), "three of six");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_forgotten_after_the_window() {
        let breaker = Breaker::new(SETTINGS);
        for _ in 0..3 {
            assert!(exchange(&breaker, Verdict::Fails));
        }
        advance(SETTINGS.window).await;
        assert!(exchange(&breaker, Verdict::Fails));
        assert_eq!(breaker.seen().0, CircuitState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_time_one_exchange_alone_is_sent_and_closes_it() {
        let breaker = opened();
        assert!(!exchange(&breaker, Verdict::Works));
        advance(SETTINGS.min_open).await;
        assert_eq!(breaker.seen().0, CircuitState::HalfOpen);
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "one probe at a time");
        drop(probe);
        let probe = breaker.admit().expect("the first said nothing");
        probe.record(Verdict::Works);
        assert_eq!(breaker.seen().0, CircuitState::Closed);
        assert!(exchange(&breaker, Verdict::Fails), "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_open_for_longer_after_each_probe_that_fails() {
        let breaker = opened();
        for seconds in [2, 4, 5, 5] {
            assert_eq!(breaker.seen(), (CircuitState::Open, Duration::from_secs(seconds)));
            advance(Duration::from_secs(seconds)).await;
            assert!(exchange(&breaker, Verdict::Fails));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_before_it_opened_changes_nothing() {
        let breaker = Breaker::new(SETTINGS);
        let late = breaker.admit().unwrap();
        for _ in 0..4 {
            assert!(exchange(&breaker, Verdict::Fails));
        }
        late.record(Verdict::Works);
        assert_eq!(breaker.seen(), (CircuitState::Open, SETTINGS.min_open));
    }
}
