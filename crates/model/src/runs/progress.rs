//! How far a run is.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Run, RunStatus, RunStep};
use crate::RunId;

/// How far a run is, and when it probably ends. What is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "run_id": 70_403_104_000_901_i64, "status": "running", "is_complete": false, "steps_done": 3, "steps_total": 5,
    "current_step": {"index": 4, "name": "Invoke dbt with `dbt build`", "started_at": "2026-03-19T02:00:30Z"},
    "started_at": "2026-03-19T02:00:12Z", "elapsed_secs": 64.0,
    "usual": {"runs": 20, "median_secs": 101.5, "shortest_secs": 88.0, "longest_secs": 140.0},
    "estimated_end": "2026-03-19T02:01:53.500Z", "estimated_earliest": "2026-03-19T02:01:40Z",
    "estimated_latest": "2026-03-19T02:02:32Z"
}))]
pub struct RunProgress {
    /// The run.
    #[schema(value_type = i64, minimum = 1)]
    pub run_id: RunId,
    /// `queued`, `starting`, `running`, `success`, `error`, `cancelled`, `unknown`.
    pub status: Option<String>,
    /// Whether the run has ended.
    pub is_complete: bool,
    /// Steps that have ended or were skipped.
    pub steps_done: Option<u32>,
    /// Steps that dbt Cloud lists; it may add some while the run goes on.
    pub steps_total: Option<u32>,
    /// The first step that has begun and not ended.
    pub current_step: Option<CurrentStep>,
    /// When the run started to execute.
    pub started_at: Option<DateTime<Utc>>,
    /// Seconds since then, or until it finished.
    pub elapsed_secs: Option<f64>,
    /// How long runs of the job usually take that succeed.
    pub usual: Option<UsualDuration>,
    /// The start plus the usual duration; null once that has passed, and for a run that has not started.
    pub estimated_end: Option<DateTime<Utc>>,
    /// The start plus the shortest duration; null once that has passed.
    pub estimated_earliest: Option<DateTime<Utc>>,
    /// The start plus the longest duration; null once that has passed.
    pub estimated_latest: Option<DateTime<Utc>>,
}

/// The step that a run is at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CurrentStep {
    /// From 1.
    pub index: Option<u32>,
    /// What it does.
    pub name: Option<String>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
}

/// How long the last runs of a job took, from start to end, that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct UsualDuration {
    /// How many runs: at most 20.
    pub runs: u32,
    /// The median, in seconds.
    pub median_secs: f64,
    /// The shortest, in seconds.
    pub shortest_secs: f64,
    /// The longest, in seconds.
    pub longest_secs: f64,
}

impl UsualDuration {
    /// Of these durations in seconds; `None` without any.
    pub fn of(mut secs: Vec<f64>) -> Option<Self> {
        secs.sort_by(f64::total_cmp);
        let (shortest, longest) = (*secs.first()?, *secs.last()?);
        let (low, high) = (secs[(secs.len() - 1) / 2], secs[secs.len() / 2]);
        Some(Self {
            runs: u32::try_from(secs.len()).unwrap_or(u32::MAX),
            median_secs: f64::midpoint(low, high),
            shortest_secs: shortest,
            longest_secs: longest,
        })
    }
}

impl Run {
    /// The seconds from start to end of a run that succeeded.
    pub fn secs_of_success(&self) -> Option<f64> {
        let (started, finished) = (self.started_at?, self.finished_at?);
        (self.status == Some(RunStatus::Success) && started <= finished)
            .then(|| (finished.0 - started.0).as_seconds_f64())
    }

    /// How far the run is at `now`, with its steps. The clock may differ from dbt Cloud's by some seconds.
    pub fn progress(&self, usual: Option<UsualDuration>, now: DateTime<Utc>) -> RunProgress {
        let steps = self.steps().ok();
        let has_ended = |step: &&RunStep| step.is_skipped() || step.status.is_some_and(RunStatus::is_terminal);
        let count = |count: usize| u32::try_from(count).ok();
        let is_complete = self.status.is_some_and(RunStatus::is_terminal);
        let current = steps.as_ref().filter(|_| !is_complete).and_then(|steps| {
            let current = steps.iter().find(|step| step.has_begun() && !has_ended(step))?;
            Some(CurrentStep {
                index: current.index,
                name: current.name.clone(),
                started_at: current.started_at.map(|moment| moment.0),
            })
        });
        let started_at = self.started_at.map(|moment| moment.0);
        let until = if is_complete {
            self.finished_at.map(|moment| moment.0)
        } else {
            Some(now)
        };
        let elapsed = started_at
            .zip(until)
            .map(|(from, until)| (until - from).max(TimeDelta::zero()));
        let after = |secs: f64| {
            let length = TimeDelta::from_std(Duration::try_from_secs_f64(secs).ok()?).ok()?;
            started_at?
                .checked_add_signed(length)
                .filter(|end| *end > now && !is_complete)
        };
        RunProgress {
            run_id: self.id,
            status: self.status.map(|status| status.name().to_owned()),
            is_complete,
            steps_done: steps
                .as_ref()
                .and_then(|steps| count(steps.iter().filter(has_ended).count())),
            steps_total: steps.as_ref().and_then(|steps| count(steps.len())),
            current_step: current,
            started_at,
            elapsed_secs: elapsed.map(TimeDelta::as_seconds_f64),
            usual,
            estimated_end: usual.and_then(|usual| after(usual.median_secs)),
            estimated_earliest: usual.and_then(|usual| after(usual.shortest_secs)),
            estimated_latest: usual.and_then(|usual| after(usual.longest_secs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_duration_is_the_median_with_its_spread() {
        assert_eq!(UsualDuration::of(Vec::new()), None);
        for (secs, median, shortest, longest) in [
            (vec![5.0], 5.0, 5.0, 5.0),
            (vec![9.0, 1.0, 2.0], 2.0, 1.0, 9.0),
            (vec![4.0, 1.0, 2.0, 9.0], 3.0, 1.0, 9.0),
        ] {
            let runs = u32::try_from(secs.len()).unwrap();
            let usual = UsualDuration::of(secs).unwrap();
            assert_eq!(
                (usual.runs, usual.median_secs, usual.shortest_secs, usual.longest_secs),
                (runs, median, shortest, longest)
            );
        }
    }

    #[test]
    fn the_progress_of_a_run_is_null_where_nothing_is_known() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let run: Run = serde_json::from_str(r#"{"id": 7, "status": 1}"#).unwrap();
        let progress = run.progress(None, now);
        assert_eq!(
            (progress.run_id, progress.status.as_deref()),
            (RunId(7), Some("queued"))
        );
        assert_eq!(
            (progress.steps_done, progress.steps_total, progress.elapsed_secs),
            (None, None, None)
        );
        assert_eq!((progress.usual, progress.estimated_end), (None, None));
    }

    #[test]
    fn the_end_is_estimated_until_the_usual_duration_has_passed() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let usual = UsualDuration::of(vec![60.0, 100.0, 150.0]);
        let run = serde_json::json!({"id": 7, "status": 3, "started_at": start, "run_steps": [
            {"index": 2, "status": 3, "name": "build"}, {"index": 1, "status": 10, "name": "clone"}, {"index": 3, "status": 1}]});
        let run: Run = serde_json::from_str(&run.to_string()).unwrap();
        let at = |secs| run.progress(usual, start + TimeDelta::seconds(secs));
        let progress = at(80);
        assert_eq!((progress.steps_done, progress.steps_total), (Some(1), Some(3)));
        assert_eq!(
            progress.current_step.and_then(|step| step.name).as_deref(),
            Some("build")
        );
        assert_eq!(progress.elapsed_secs, Some(80.0));
        assert_eq!(progress.estimated_earliest, None);
        assert_eq!(progress.estimated_end, Some(start + TimeDelta::seconds(100)));
        assert_eq!(progress.estimated_latest, Some(start + TimeDelta::seconds(150)));
        let late = at(200);
        assert_eq!((late.estimated_end, late.estimated_latest), (None, None));
        // A clock that is behind dbt Cloud's.
        assert_eq!(at(-5).elapsed_secs, Some(0.0));
    }
}
