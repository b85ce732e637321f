//! The clock of a simulator. The times in answers, the states of runs and the rate limit all use it. No other file reads
//! the system time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::Notify;

/// Simulated time: real time multiplied by a scale, plus the sum of all advances.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    reading: Mutex<Reading>,
    moved: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    base: DateTime<Utc>,
    since: Instant,
    scale: f64,
}

impl Reading {
    fn at(&self, instant: Instant) -> DateTime<Utc> {
        let real = instant.saturating_duration_since(self.since);
        let passed = Duration::try_from_secs_f64(real.as_secs_f64() * self.scale).unwrap_or_default();
        (self.base + TimeDelta::from_std(passed).unwrap_or_default()).trunc_subsecs(6)
    }
}

impl Clock {
    /// Starts at `epoch` (the system time when `None`); a scale of 0 stops the clock.
    pub(crate) fn new(epoch: Option<DateTime<Utc>>, scale: f64) -> Self {
        let base = epoch.unwrap_or_else(system_time).trunc_subsecs(6);
        let reading = Reading {
            base,
            since: Instant::now(),
            scale: clean(scale),
        };
        Self {
            inner: Arc::new(Inner {
                reading: Mutex::new(reading),
                moved: Notify::new(),
            }),
        }
    }

    fn reading(&self) -> Reading {
        *self.inner.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microsecond resolution, as dbt Cloud's timestamps have.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.reading().at(Instant::now())
    }

    pub(crate) fn scale(&self) -> f64 {
        self.reading().scale
    }

    /// Moves ahead and wakes all waiting tasks.
    pub(crate) fn advance(&self, by: Duration) -> DateTime<Utc> {
        self.change(|reading| reading.base += TimeDelta::from_std(by).unwrap_or_default())
    }

    /// Sets the simulated seconds per real second; the current time does not change.
    pub(crate) fn set_scale(&self, scale: f64) -> DateTime<Utc> {
        self.change(|reading| reading.scale = clean(scale))
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) -> DateTime<Utc> {
        let now = {
            let mut reading = self.inner.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let instant = Instant::now();
            reading.base = reading.at(instant);
            reading.since = instant;
            change(&mut reading);
            reading.base
        };
        self.inner.moved.notify_waiters();
        now
    }

    /// Returns at simulated time `at`, or earlier when the clock is moved. Returns only on a move when `at` is `None` or
    /// the clock is stopped.
    pub(crate) async fn sleep_until_or_moved(&self, at: Option<DateTime<Utc>>) {
        let moved = self.inner.moved.notified();
        let reading = self.reading();
        // The clock may have moved since the caller read it.
        if at.is_some_and(|at| at <= reading.at(Instant::now())) {
            return;
        }
        let wait = at.filter(|_| reading.scale > 0.0).map(|at| {
            let left = (at - reading.at(Instant::now())).to_std().unwrap_or_default();
            Duration::try_from_secs_f64(left.as_secs_f64() / reading.scale).unwrap_or(Duration::from_hours(1))
        });
        match wait {
            Some(wait) => drop(tokio::time::timeout(wait, moved).await),
            None => moved.await,
        }
    }
}

fn clean(scale: f64) -> f64 {
    if scale.is_finite() && scale > 0.0 { scale } else { 0.0 }
}

#[expect(clippy::disallowed_methods, reason = "the simulated clock starts at the system time")]
fn system_time() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_by_advances() {
        let clock = Clock::new(DateTime::from_timestamp(1_700_000_000, 0), 0.0);
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now() - before, TimeDelta::seconds(90));
    }

    #[test]
    fn a_change_of_scale_keeps_the_current_time() {
        let clock = Clock::new(DateTime::from_timestamp(1_700_000_000, 0), 0.0);
        clock.advance(Duration::from_secs(10));
        let before = clock.now();
        assert!(clock.set_scale(60.0) >= before);
        assert!((clock.scale() - 60.0).abs() < f64::EPSILON);
    }
}
