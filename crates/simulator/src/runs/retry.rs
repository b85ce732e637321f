//! Which runs can be retried, and which steps a retry runs.

use chrono::{DateTime, Utc};

use super::run::{Phase, Run};
use super::steps::{PREPARING, Step, StepState};

/// Why a run cannot be retried, in dbt's words; `None` when it can.
/// `latest` is the newest run of the job.
pub(crate) fn retry_refusal(run: &Run, latest: Option<&Run>, now: DateTime<Utc>) -> Option<&'static str> {
    if latest.is_some_and(|latest| latest.id != run.id) {
        return Some("RETRY_NOT_LATEST_RUN");
    }
    if run.phase(now) != Phase::Error {
        return Some("RETRY_NOT_FAILED_RUN");
    }
    if !version_can_retry(&run.dbt_version) {
        return Some("RETRY_UNSUPPORTED_VERSION");
    }
    let failed = run.steps.iter().find(|step| step.fails)?;
    if failed.index <= PREPARING {
        return Some("RETRY_NO_RUN_RESULTS");
    }
    if !command_can_retry(failed.command.as_deref().unwrap_or_default()) {
        return Some("RETRY_UNSUPPORTED_CMD");
    }
    None
}

/// `dbt retry` exists since 1.6; names without a number (`latest`, `versionless`, …) are newer.
fn version_can_retry(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 6),
        _ => true,
    }
}

fn command_can_retry(command: &str) -> bool {
    const RETRYABLE: [&str; 9] = [
        "build",
        "compile",
        "clone",
        "seed",
        "snapshot",
        "test",
        "run",
        "run-operation",
        "generate",
    ];
    let mut words = command
        .split_whitespace()
        .skip_while(|word| *word == "dbt" || word.starts_with('-'));
    let verb = words.next().map(|word| {
        if word == "docs" {
            words.next().unwrap_or("docs")
        } else {
            word
        }
    });
    verb.is_some_and(|verb| RETRYABLE.contains(&verb))
}

/// The failed step and the skipped ones after it: what a retry would run.
pub(crate) fn steps_to_retry(run: &Run, now: DateTime<Utc>) -> (Option<&Step>, Vec<&Step>) {
    let failed = run
        .steps
        .iter()
        .find(|step| matches!(run.step_state(step.index, now), StepState::Error { .. }));
    let skipped = run
        .steps
        .iter()
        .filter(|step| run.step_state(step.index, now) == StepState::Skipped)
        .collect();
    (failed, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_1_6_cannot_retry() {
        assert!(!version_can_retry("1.5.9"));
        assert!(!version_can_retry("0.21.0"));
        for version in ["1.6.0", "1.10.2", "latest", "versionless", "2.0.0-preview.1"] {
            assert!(version_can_retry(version), "{version}");
        }
    }

    #[test]
    fn only_commands_with_results_can_be_retried() {
        assert!(command_can_retry("dbt build --select tag:nightly"));
        assert!(command_can_retry("dbt --warn-error run"));
        assert!(command_can_retry("dbt docs generate"));
        assert!(!command_can_retry("dbt source freshness"));
        assert!(!command_can_retry("dbt deps"));
    }
}
