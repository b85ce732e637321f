//! When a watched run is looked at next.

use std::time::Duration;

use chrono::TimeDelta;
use model::Run;
use storage::WatchedRun;

/// How runs are watched.
#[derive(Debug, Clone, Copy)]
pub struct WatchSettings {
    /// The shortest pause between two looks at a run.
    pub min_pause: Duration,
    /// The longest.
    pub max_pause: Duration,
    /// The longest while a caller waits.
    pub waited_max_pause: Duration,
    /// Looks at the runs of one account in a minute, each at up to 100 runs.
    pub looks_per_minute: u32,
    /// For how long a started run is watched at most.
    pub watched: Duration,
    /// For how long another process leaves a run alone.
    pub lease: Duration,
    /// The largest size of the logs in the events of a run, in bytes.
    pub log_max_bytes: i64,
}

/// How long after its start a run is looked at often.
const YOUNG: TimeDelta = TimeDelta::seconds(30);
/// Runs that one look shows.
const BATCH: f64 = 100.0;

impl WatchSettings {
    /// The pause before the next look at a run that has not ended. `open`: the watched runs of its account.
    ///
    /// Short after the start and near the usual end, else longer the longer the run lasts.
    pub(super) fn pause(&self, run: &Run, watched: &WatchedRun, open: i64) -> Duration {
        let since = run
            .started_at
            .or(run.created_at)
            .map_or(watched.created_at, |moment| moment.0);
        let elapsed = (watched.now - since).max(TimeDelta::zero());
        let secs = elapsed.as_seconds_f64();
        let is_near_end = run.started_at.is_some()
            && watched
                .usual_secs
                .is_some_and(|usual| (secs - usual).abs() <= (usual * 0.2).max(10.0));
        let wanted = if elapsed < YOUNG || is_near_end || watched.is_detailed {
            self.min_pause
        } else {
            Duration::from_secs_f64(secs / 20.0)
        };
        self.bounded(wanted, watched, open)
    }

    /// The pause after a look that failed for that run.
    pub(super) fn pause_after_failure(&self, watched: &WatchedRun, open: i64) -> Duration {
        let doublings = u32::try_from(watched.failures).unwrap_or_default().min(10);
        let pause = self.min_pause.saturating_mul(1 << doublings).min(self.max_pause);
        pause.max(self.least(open))
    }

    fn bounded(&self, wanted: Duration, watched: &WatchedRun, open: i64) -> Duration {
        let longest = if watched.is_waited {
            self.waited_max_pause
        } else {
            self.max_pause
        };
        wanted.min(longest).max(self.min_pause).max(self.least(open))
    }

    /// The pause with which all runs of the account are looked at within `looks_per_minute`.
    fn least(&self, open: i64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "far fewer runs than 2^52")]
        let looks = (open as f64 / BATCH).ceil();
        Duration::from_secs_f64(looks * 60.0 / f64::from(self.looks_per_minute.max(1)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::{DateTime, Utc};
    use model::RunId;
    use serde_json::json;
    use storage::WatchLease;

    use super::*;

    pub(in crate::watching) const SETTINGS: WatchSettings = WatchSettings {
        min_pause: Duration::from_secs(2),
        max_pause: Duration::from_secs(30),
        waited_max_pause: Duration::from_secs(5),
        looks_per_minute: 480,
        watched: Duration::from_hours(24),
        lease: Duration::from_secs(30),
        log_max_bytes: 1000,
    };
    const START: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    pub(in crate::watching) fn watched_run(id: i64, now: DateTime<Utc>) -> WatchedRun {
        WatchedRun {
            lease: WatchLease { id, fence: 1 },
            run_id: RunId(id),
            status: None,
            is_known: false,
            is_detailed: false,
            is_waited: false,
            steps: None,
            log_bytes: 0,
            failures: 0,
            usual_secs: None,
            created_at: now,
            now,
        }
    }

    fn pause_at(secs: i64, change: impl FnOnce(&mut WatchedRun), open: i64) -> u64 {
        let run = json!({ "id": 1, "status": 3, "started_at": START });
        let run = serde_json::from_str(&run.to_string()).unwrap();
        let mut watched = watched_run(1, START + TimeDelta::seconds(secs));
        change(&mut watched);
        SETTINGS.pause(&run, &watched, open).as_secs()
    }

    #[test]
    fn a_run_is_looked_at_often_at_its_start_and_near_its_usual_end() {
        assert_eq!(pause_at(0, |_| {}, 1), 2);
        assert_eq!(pause_at(29, |_| {}, 1), 2);
        assert_eq!(pause_at(200, |_| {}, 1), 10);
        assert_eq!(pause_at(4000, |_| {}, 1), 30);
        assert_eq!(pause_at(200, |watched| watched.usual_secs = Some(220.0), 1), 2);
        assert_eq!(pause_at(200, |watched| watched.usual_secs = Some(400.0), 1), 10);
        assert_eq!(pause_at(4000, |watched| watched.is_waited = true, 1), 5);
        assert_eq!(pause_at(4000, |watched| watched.is_detailed = true, 1), 2);
        // A clock that is behind dbt Cloud's.
        assert_eq!(pause_at(-500, |_| {}, 1), 2);
    }

    #[test]
    fn many_runs_share_the_looks_of_a_minute() {
        // 10,000 runs are 100 looks: with 480 in a minute one round takes 12.5 seconds.
        assert_eq!(pause_at(0, |_| {}, 10_000), 12);
        assert_eq!(pause_at(4000, |watched| watched.is_waited = true, 100_000), 125);
    }

    #[test]
    fn failures_make_the_pause_longer() {
        let pause = |failures| {
            let watched = WatchedRun {
                failures,
                ..watched_run(1, START)
            };
            SETTINGS.pause_after_failure(&watched, 1).as_secs()
        };
        assert_eq!([0, 1, 2, 3, 4, 100].map(pause), [2, 4, 8, 16, 30, 30]);
    }
}
