//! A step of a run, with every field that the specification lists, and where its results are.

use crate::{AccountId, Run, RunId, RunStatus, Timestamp, lenient};

lenient::part! {
    /// A step of a run, as the Administrative API v2 answers it with the run. dbt Cloud promises no field of it.
    pub struct RunStep {
        id: i64,
        run_id: RunId,
        account_id: AccountId,
        /// From 1; the first three clone the repository, make the profile and run `dbt deps`.
        index: u32,
        /// The numbers of runs. That of a skipped step is documented nowhere: [`Self::is_skipped`] tells.
        status: RunStatus,
        name: String,
        /// What dbt wrote to the console; may come a moment after the step's end.
        logs: String,
        /// Its last 1,000 lines, unless it was asked for whole.
        debug_logs: String,
        log_path: String,
        debug_log_path: String,
        truncated_debug_logs: String,
        started_at: Timestamp,
        finished_at: Timestamp,
        status_color: String,
        status_humanized: String,
        /// `HH:MM:SS`
        duration: String,
        duration_humanized: String,
        created_at: Timestamp,
        updated_at: Timestamp,
        run_step_command: RunStepCommand,
        run_step_invocation: RunStepInvocation,
    }
}

lenient::part! {
    /// The command of a step, where it runs one.
    pub struct RunStepCommand {
        run_step_id: i64,
        /// `dbt build --select orders+`
        dbt_command: String,
    }
}

lenient::part! {
    /// Which run a step's command was invoked for.
    pub struct RunStepInvocation {
        run_step_id: i64,
        run_id: RunId,
    }
}

impl Run {
    /// The steps that came with the run, in their order; what is no step is left out.
    pub fn steps(&self) -> Vec<RunStep> {
        let sent = self.run_steps.iter().flatten();
        let mut steps: Vec<RunStep> = sent
            .filter_map(|text| serde_json::from_str(text.as_str()).ok())
            .collect();
        steps.sort_by_key(|step| step.index);
        steps
    }
}

impl RunStep {
    /// Whether it was not run, because an earlier one failed. By its word: its number may be that of any other state.
    pub fn is_skipped(&self) -> bool {
        let word = self.status_humanized.as_deref().unwrap_or_default();
        word.eq_ignore_ascii_case("skipped")
    }

    /// Whether it ended in an error; the run may have gone on all the same (`dbt source freshness` is let fail).
    pub fn has_failed(&self) -> bool {
        self.status == Some(RunStatus::Error) && !self.is_skipped()
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status == Some(RunStatus::Cancelled) && !self.is_skipped()
    }

    /// Whether it has begun, as far as dbt Cloud tells.
    pub fn has_begun(&self) -> bool {
        !matches!(self.status, Some(RunStatus::Queued | RunStatus::Starting)) && !self.is_skipped()
    }

    /// The dbt command that it runs; older answers have it in the name alone.
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
    fn a_step_is_read_whatever_dbt_cloud_leaves_out() {
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
    fn the_command_of_a_step_stands_by_itself_or_in_its_name() {
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
    fn a_skipped_step_is_told_by_its_word_whatever_its_number() {
        for number in [1, 20, 30, 40] {
            let step = step(&json!({"status": number, "status_humanized": "Skipped"}));
            assert!(step.is_skipped() && !step.has_failed() && !step.is_cancelled() && !step.has_begun());
        }
        assert!(step(&json!({"status": 20, "status_humanized": "Error"})).has_failed());
    }

    #[test]
    fn the_steps_of_a_run_come_in_their_order_without_what_is_none() {
        let run = json!({"id": 1, "run_steps": [{"index": 2}, "odd", {"index": 1}, null]});
        let run: Run = serde_json::from_str(&run.to_string()).unwrap();
        let indices: Vec<_> = run.steps().iter().map(|step| step.index).collect();
        assert_eq!(indices, [Some(1), Some(2)]);
        let run: Run = serde_json::from_str(r#"{"id": 1, "run_steps": null}"#).unwrap();
        assert!(run.steps().is_empty());
    }
}
