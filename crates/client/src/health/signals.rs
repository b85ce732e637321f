//! What the tasks of the process report for the readiness checks. A signal that is not set is not checked.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use storage::LastSuccess;

/// The signals. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HealthSignals {
    /// The last heartbeat, and the age at which it is late.
    pub heartbeat: Option<(LastSuccess, Duration)>,
    /// The partitions that have been made.
    pub partitions: Option<PartitionsAhead>,
    /// The disk of the private Postgres.
    pub disk: Option<DiskCheck>,
}

/// The last day whose partition of the request log exists, as the maintenance task made it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PartitionsAhead(Arc<Mutex<Option<NaiveDate>>>);

impl PartitionsAhead {
    /// The partitions up to that day exist.
    pub fn record(&self, last: NaiveDate) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// What is missing at `now`.
    pub(super) fn problem(&self, now: DateTime<Utc>) -> Option<String> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tomorrow = now.date_naive().checked_add_days(Days::new(1))?;
        match last {
            None => Some("they have not been created yet".to_owned()),
            Some(last) if last < tomorrow => Some(format!("they end with {last}, and tomorrow is {tomorrow}")),
            Some(_) => None,
        }
    }
}

/// Measures the free space of a disk. Cheap to clone.
#[derive(Clone)]
pub struct DiskCheck {
    free: Arc<dyn Fn() -> io::Result<u64> + Send + Sync>,
    min_free: u64,
    /// Held while it is measured: a disk that does not answer blocks one thread, not one more for each check.
    measuring: Arc<Mutex<()>>,
}

impl DiskCheck {
    /// `free` returns the free bytes and may block; `min_free` is the smallest sufficient number of bytes.
    pub fn new(free: impl Fn() -> io::Result<u64> + Send + Sync + 'static, min_free: u64) -> Self {
        Self {
            free: Arc::new(free),
            min_free,
            measuring: Arc::default(),
        }
    }

    /// Measures. Blocks.
    pub(super) fn problem(&self) -> Option<String> {
        const MIB: u64 = 1 << 20;
        let Ok(_measuring) = self.measuring.try_lock() else {
            return Some("it has not answered yet".to_owned());
        };
        match (self.free)() {
            Ok(free) if free >= self.min_free => None,
            Ok(free) => Some(format!(
                "{} MiB are free on the disk of the private Postgres, and {} are needed",
                free / MIB,
                self.min_free / MIB
            )),
            Err(error) => Some(format!("its free space cannot be measured: {error}")),
        }
    }
}

impl fmt::Debug for DiskCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskCheck")
            .field("min_free", &self.min_free)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, day).unwrap_or_default()
    }

    #[test]
    fn partitions_are_ahead_if_tomorrows_exists() {
        let ahead = PartitionsAhead::default();
        let now = day(4).and_time(chrono::NaiveTime::MIN).and_utc();
        assert!(ahead.problem(now).is_some(), "not created yet");
        ahead.record(day(5));
        assert_eq!(ahead.problem(now), None);
        ahead.record(day(4));
        let problem = ahead.problem(now);
        assert_eq!(
            problem.as_deref(),
            Some("they end with 2026-03-04, and tomorrow is 2026-03-05")
        );
    }

    #[test]
    fn a_disk_needs_enough_free_space() {
        let with = |free: fn() -> io::Result<u64>| DiskCheck::new(free, 256 << 20).problem();
        assert_eq!(with(|| Ok(256 << 20)), None);
        let low = with(|| Ok((256 << 20) - 1));
        assert!(low.is_some_and(|text| text.starts_with("255 MiB are free")));
        assert!(with(|| Err(io::ErrorKind::NotFound.into())).is_some());
    }
}
