//! The steps of a run, with every field in the specification.

use super::{Run, RunStatus};
use crate::{AccountId, RunId, Timestamp, lenient};

lenient::part! {
    /// A step of a run of dbt Cloud, with its logs.
    #[schema(example = json!({
        "id": 704_031_040_009_014_i64, "run_id": 70_403_104_000_901_i64, "account_id": 70_403_103_900_001_i64, "index": 4,
        "status": 10, "name": "Invoke dbt with `dbt build`", "logs": "02:00:31  Running with dbt=1.10.2\n",
        "debug_logs": "02:00:31  Running with dbt=1.10.2\n", "log_path": "logs/4.log", "debug_log_path": "logs/4-debug.log",
        "truncated_debug_logs": "02:00:31  Running with dbt=1.10.2\n", "started_at": "2026-03-19T02:00:30.559970Z",
        "finished_at": "2026-03-19T02:01:12.559970Z", "status_color": "success", "status_humanized": "Success",
        "duration": "00:00:42", "duration_humanized": "42 seconds", "created_at": "2026-03-19T02:00:00.559970Z",
        "updated_at": "2026-03-19T02:01:12.559970Z",
        "run_step_command": {"run_step_id": 704_031_040_009_014_i64, "dbt_command": "dbt build"},
        "run_step_invocation": {"run_step_id": 704_031_040_009_014_i64, "run_id": 70_403_104_000_901_i64}
    }))]
    pub struct RunStep {
        id: i64,
        run_id: RunId as i64,
        account_id: AccountId as i64,
        /// From 1: the number that `step` of an artifact means.
        index: u32,
        /// The numbers of runs: 1 queued, 2 starting, 3 running, 10 success, 20 error, 30 cancelled. That of a skipped step
        /// is not documented: `status_humanized` says `Skipped`.
        status: RunStatus as i32,
        name: String,
        /// The console output of dbt. May be empty for a moment after the step's end.
        logs: String,
        /// The last 1,000 lines, or all with `debug_logs=true`.
        debug_logs: String,
        log_path: String,
        debug_log_path: String,
        /// The end of the debug logs.
        truncated_debug_logs: String,
        started_at: Timestamp as DateTime<Utc>,
        finished_at: Timestamp as DateTime<Utc>,
        /// The colour in dbt Cloud's interface.
        status_color: String,
        status_humanized: String,
        /// `HH:MM:SS`
        duration: String,
        duration_humanized: String,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        run_step_command: RunStepCommand,
        run_step_invocation: RunStepInvocation,
    }
}

lenient::part! {
    /// The dbt command of a step; null where it runs none.
    pub struct RunStepCommand {
        run_step_id: i64,
        dbt_command: String,
    }
}

lenient::part! {
    /// Which run a step's command was invoked for.
    pub struct RunStepInvocation {
        run_step_id: i64,
        run_id: RunId as i64,
    }
}

/// Why the steps of a run cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NoSteps {
    /// The run has no list of steps.
    #[error("the run has no list `run_steps`")]
    Missing,
    /// An entry of the list is no step.
    #[error("an entry of `run_steps` is no step")]
    Invalid(#[from] serde_json::Error),
}

impl Run {
    /// The run's steps, by index: all of them.
    ///
    /// # Errors
    /// [`NoSteps`].
    pub fn steps(&self) -> Result<Vec<RunStep>, NoSteps> {
        let listed = self.run_steps.as_ref().ok_or(NoSteps::Missing)?;
        let steps = listed.iter().map(|text| serde_json::from_str(text.as_str()));
        let mut steps: Vec<RunStep> = steps.collect::<Result<_, _>>()?;
        steps.sort_by_key(|step| step.index);
        Ok(steps)
    }
}

impl RunStep {
    /// Whether the step was skipped because an earlier one failed. By its text: its number may be that of any status.
    pub fn is_skipped(&self) -> bool {
        let word = self.status_humanized.as_deref().unwrap_or_default();
        word.eq_ignore_ascii_case("skipped")
    }

    /// Whether the step failed; the run may have continued (`dbt source freshness` may fail).
    pub fn has_failed(&self) -> bool {
        self.status == Some(RunStatus::Error) && !self.is_skipped()
    }

    /// Whether the step was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status == Some(RunStatus::Cancelled) && !self.is_skipped()
    }

    /// Whether the step has started.
    pub fn has_begun(&self) -> bool {
        !matches!(self.status, Some(RunStatus::Queued | RunStatus::Starting)) && !self.is_skipped()
    }

    /// The step's dbt command; older answers have it only in the name.
    pub fn command(&self) -> Option<&str> {
        let own = || self.run_step_command.as_ref()?.dbt_command.as_deref();
        let named = || self.name.as_deref()?.split('`').nth(1);
        own().or_else(named).map(str::trim).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(of: &serde_json::Value) -> RunStep {
        serde_json::from_str(&of.to_string()).unwrap()
    }

    #[test]
    fn a_step_with_missing_fields_is_read() {
        let step = step(
            &json!({"index": "4", "status": 77, "run_step_command": null, "started_at": "2025-03-27 20:37:19.9+00:00",
            "finished_at": "2025-03-27T20:37:20Z"}),
        );
        assert_eq!((step.index, step.status), (None, Some(RunStatus::Unknown(77))));
        assert_eq!(
            (step.command(), step.is_skipped(), step.has_begun()),
            (None, false, true)
        );
        assert!(step.started_at.is_some() && step.started_at < step.finished_at);
    }

    #[test]
    fn the_command_of_a_step_is_a_field_or_in_its_name() {
        for (of, command) in [
            (
                json!({"run_step_command": {"dbt_command": "dbt build"}, "name": "Invoke dbt with `dbt run`"}),
                Some("dbt build"),
            ),
            (json!({"name": "Invoke dbt with `dbt run -s a`"}), Some("dbt run -s a")),
            (json!({"name": "Clone git repository"}), None),
            (json!({"name": "``"}), None),
        ] {
            assert_eq!(step(&of).command(), command, "{of}");
        }
    }

    #[test]
    fn a_skipped_step_is_recognised_by_its_text_with_any_number() {
        for number in [1, 20, 30, 40] {
            let step = step(&json!({"status": number, "status_humanized": "Skipped"}));
            assert!(step.is_skipped() && !step.has_failed() && !step.is_cancelled() && !step.has_begun());
        }
        assert!(step(&json!({"status": 20, "status_humanized": "Error"})).has_failed());
    }

    #[test]
    fn the_steps_of_a_run_are_sorted_and_a_missing_or_odd_one_is_an_error() {
        let steps = |list: serde_json::Value| {
            let run: Run = serde_json::from_str(&json!({"id": 1, "run_steps": list}).to_string()).unwrap();
            run.steps()
        };
        let sorted = steps(json!([{"index": 2}, {"index": 1}])).unwrap();
        assert_eq!(
            sorted.iter().map(|step| step.index).collect::<Vec<_>>(),
            [Some(1), Some(2)]
        );
        assert!(steps(json!([])).unwrap().is_empty());
        for odd in [json!([{"index": 2}, "odd"]), json!([null])] {
            assert!(matches!(steps(odd), Err(NoSteps::Invalid(_))));
        }
        for missing in [json!(null), json!({"index": 1})] {
            assert!(matches!(steps(missing), Err(NoSteps::Missing)));
        }
    }
}
