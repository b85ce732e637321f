//! The logs of a step, as dbt writes them to the console and, with more lines, to its debug log.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

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

const MODELS: [&str; 5] = [
    "stg_customers",
    "stg_orders",
    "stg_order_lines",
    "customers",
    "daily_revenue",
];

fn lines(run: &Run, step: &Step, state: StepState, debug: bool) -> String {
    let (since, failed) = match state {
        StepState::Success { since, .. } => (since, false),
        StepState::Error { since, .. } => (since, true),
        _ => return String::new(),
    };
    let mut text = String::new();
    match step.command.as_deref() {
        None if step.index == 1 => {
            say(
                &mut text,
                since,
                &format!(
                    "Successfully cloned repository.\nChecked out to {} for branch {}.",
                    run.git_sha(),
                    run.git_branch()
                ),
            );
        }
        None => say(&mut text, since, "Profile created from the environment's connection."),
        Some(command) => invocation(&mut text, run, command, since, failed, debug),
    }
    text
}

fn say(text: &mut String, at: DateTime<Utc>, message: &str) {
    for line in message.lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {line}", at.format("%H:%M:%S"));
    }
}

fn invocation(text: &mut String, run: &Run, command: &str, at: DateTime<Utc>, failed: bool, debug: bool) {
    say(text, at, &format!("Running with dbt={}", run.dbt_version));
    if debug {
        let report = "{\"adapter_type\": \"postgres\", \"adapter_version\": \"1.9.0\"}";
        say(
            text,
            at,
            &format!(
                "running dbt with arguments {{'invocation_command': '{command}', 'log_format': 'default'}}\nadapter: {report}"
            ),
        );
    }
    if command == "dbt deps" {
        say(
            text,
            at,
            if failed {
                "Encountered an error:\nInternal Error\n  Could not reach the package registry"
            } else {
                "Installing dbt-labs/dbt_utils\nInstalled from version 1.3.0"
            },
        );
        return;
    }
    say(text, at, "Found 5 models, 1 seed, 6 data tests, 1 source, 480 macros");
    let total = MODELS.len();
    for (index, model) in MODELS.iter().enumerate() {
        let number = index + 1;
        say(
            text,
            at,
            &format!(
                "{number} of {total} START sql model analytics.{model} {}",
                ".".repeat(40 - model.len())
            ),
        );
        if debug {
            say(
                text,
                at,
                &format!(
                    "On model.acme_shop.{model}: create or replace table analytics.{model} as (select * from raw.{model})"
                ),
            );
        }
        if failed && number == total {
            say(
                text,
                at,
                &format!(
                    "{number} of {total} ERROR creating sql model analytics.{model} {} [ERROR in 0.41s]",
                    ".".repeat(34 - model.len())
                ),
            );
        } else {
            say(
                text,
                at,
                &format!(
                    "{number} of {total} OK created sql model analytics.{model} {} [SELECT 99 in 0.36s]",
                    ".".repeat(36 - model.len())
                ),
            );
        }
    }
    if failed {
        say(
            text,
            at,
            "Completed with 1 error, 0 partial successes, and 0 warnings:\n  Database Error in model daily_revenue (models/marts/daily_revenue.sql)\n  column \"order_total\" does not exist\n\
             Done. PASS=4 WARN=0 ERROR=1 SKIP=0 NO-OP=0 TOTAL=5",
        );
    } else {
        say(
            text,
            at,
            "Completed successfully\nDone. PASS=5 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=5",
        );
    }
}
