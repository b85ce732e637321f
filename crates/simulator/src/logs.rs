//! The logs of a step, as dbt writes them to the console and, with more lines, to its debug log. The nodes are those of
//! the recorded run, so that logs and `run_results.json` tell the same story.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::artifacts::{NodeResult, build_results, failed_results};
use crate::runs::{Run, Step, StepState};

/// What a person sees.
pub(crate) fn console(run: &Run, step: &Step, state: StepState) -> String {
    lines(run, step, state, false)
}

/// What `dbt.log` holds.
pub(crate) fn debug(run: &Run, step: &Step, state: StepState) -> String {
    lines(run, step, state, true)
}

/// The last `count` lines.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A log that is being written: every line begins with its time.
struct Log {
    text: String,
    at: DateTime<Utc>,
}

impl Log {
    fn say(&mut self, message: &str) {
        for line in message.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "{}  {line}", self.at.format("%H:%M:%S"));
        }
    }
}

fn lines(run: &Run, step: &Step, state: StepState, debug: bool) -> String {
    let (at, failed) = match state {
        StepState::Success { since, .. } => (since, false),
        StepState::Error { since, .. } => (since, true),
        _ => return String::new(),
    };
    let mut log = Log {
        text: String::new(),
        at,
    };
    match step.command.as_deref() {
        None if step.index == 1 => {
            log.say(&format!(
                "Successfully cloned repository.\nChecked out to {} for branch {}.",
                run.git_sha(),
                run.git_branch()
            ));
        }
        None => log.say("Profile created from the environment's connection."),
        Some(command) => invocation(&mut log, run, command, failed, debug),
    }
    log.text
}

fn invocation(log: &mut Log, run: &Run, command: &str, failed: bool, debug: bool) {
    log.say(&format!("Running with dbt={}", run.dbt_version));
    if debug {
        log.say(&format!(
            "running dbt with arguments {{'invocation_command': '{command}', 'log_format': 'default'}}"
        ));
    }
    if command == "dbt deps" {
        log.say(if failed {
            "Encountered an error:\nInternal Error\n  Could not reach the package registry"
        } else {
            "Installing dbt-labs/dbt_utils\nInstalled from version 1.3.0"
        });
        return;
    }
    log.say("Found 4 models, 2 seeds, 6 data tests, 1 source, 1 exposure, 487 macros");
    let results = if failed { failed_results() } else { build_results() };
    for (index, result) in results.iter().enumerate() {
        node(log, result, index + 1, results.len(), debug);
    }
    summary(log, results);
}

fn node(log: &mut Log, result: &NodeResult, number: usize, total: usize, debug: bool) {
    let (kind, name) = (result.kind(), result.name());
    let dots = ".".repeat(50_usize.saturating_sub(kind.len() + name.len()));
    log.say(&format!("{number} of {total} START {kind} {name} {dots} [RUN]"));
    if debug {
        log.say(&format!(
            "On {}: begin\nOn {}: commit",
            result.unique_id, result.unique_id
        ));
    }
    let word = match result.status.as_str() {
        "fail" => "FAIL 1",
        "error" => "ERROR",
        "skipped" => "SKIP",
        "pass" => "PASS",
        _ => "OK",
    };
    log.say(&format!(
        "{number} of {total} {word} {kind} {name} {dots} [{word} in {:.2}s]",
        result.seconds
    ));
}

fn summary(log: &mut Log, results: &[NodeResult]) {
    let count = |words: &[&str]| {
        results
            .iter()
            .filter(|result| words.contains(&result.status.as_str()))
            .count()
    };
    let errors = count(&["fail", "error"]);
    if errors == 0 {
        log.say("Completed successfully");
    } else {
        log.say(&format!(
            "Completed with {errors} error, 0 partial successes, and 0 warnings:"
        ));
        for result in results
            .iter()
            .filter(|result| matches!(result.status.as_str(), "fail" | "error"))
        {
            let message = result.message.as_deref().unwrap_or_default();
            log.say(&format!("Failure in {} {}\n  {message}", result.kind(), result.name()));
        }
    }
    let (pass, skip, idle) = (count(&["success", "pass"]), count(&["skipped"]), count(&["no-op"]));
    log.say(&format!(
        "Done. PASS={pass} WARN=0 ERROR={errors} SKIP={skip} NO-OP={idle} TOTAL={}",
        results.len()
    ));
}
