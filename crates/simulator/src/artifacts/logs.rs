//! The logs of a step, as dbt writes them to the console and, with more lines, to its debug log. Their nodes are those
//! of `run_results.json`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::recorded::{NodeResult, build_results, failed_results};
use crate::runs::{Run, Step, StepState};

pub(crate) fn console(run: &Run, step: &Step, state: StepState) -> String {
    lines(run, step, state, false)
}

pub(crate) fn debug(run: &Run, step: &Step, state: StepState) -> String {
    lines(run, step, state, true)
}

pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A log; every line starts with a time.
struct Log {
    text: String,
    at: DateTime<Utc>,
}

impl Log {
    fn write(&mut self, message: &str) {
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
            log.write(&format!(
                "Successfully cloned repository.\nChecked out to {} for branch {}.",
                run.git_sha(),
                run.git_branch()
            ));
        }
        None => log.write("Profile created from the environment's connection."),
        Some(command) => invocation(&mut log, run, command, failed, debug),
    }
    log.text
}

fn invocation(log: &mut Log, run: &Run, command: &str, failed: bool, debug: bool) {
    log.write(&format!("Running with dbt={}", run.dbt_version));
    if debug {
        log.write(&format!(
            "running dbt with arguments {{'invocation_command': '{command}', 'log_format': 'default'}}"
        ));
    }
    if command == "dbt deps" {
        log.write(if failed {
            "Encountered an error:\nInternal Error\n  Could not reach the package registry"
        } else {
            "Installing dbt-labs/dbt_utils\nInstalled from version 1.3.0"
        });
        return;
    }
    log.write("Found 4 models, 2 seeds, 6 data tests, 1 source, 1 exposure, 487 macros");
    let results = if failed { failed_results() } else { build_results() };
    for (index, result) in results.iter().enumerate() {
        node(log, result, index + 1, results.len(), debug);
    }
    summary(log, results);
}

fn node(log: &mut Log, result: &NodeResult, number: usize, total: usize, debug: bool) {
    let (kind, name) = (result.kind(), result.name());
    let dots = ".".repeat(50_usize.saturating_sub(kind.len() + name.len()));
    log.write(&format!("{number} of {total} START {kind} {name} {dots} [RUN]"));
    if debug {
        log.write(&format!(
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
    log.write(&format!(
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
        log.write("Completed successfully");
    } else {
        log.write(&format!(
            "Completed with {errors} error, 0 partial successes, and 0 warnings:"
        ));
        for result in results
            .iter()
            .filter(|result| matches!(result.status.as_str(), "fail" | "error"))
        {
            let message = result.message.as_deref().unwrap_or_default();
            log.write(&format!("Failure in {} {}\n  {message}", result.kind(), result.name()));
        }
    }
    let (pass, skip, idle) = (count(&["success", "pass"]), count(&["skipped"]), count(&["no-op"]));
    log.write(&format!(
        "Done. PASS={pass} WARN=0 ERROR={errors} SKIP={skip} NO-OP={idle} TOTAL={}",
        results.len()
    ));
}
