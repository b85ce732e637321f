//! Why a run failed.

use crate::{ResultsFile, Run, RunStatus, RunStep};

/// What became of a run, in the words of one who asks why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It ended in an error.
    Failed,
    /// Somebody, or a time limit, stopped it.
    Cancelled,
    /// It succeeded: there is no failure.
    Succeeded,
    /// It is still going, or in a state that nobody knows: it may fail yet.
    Unfinished,
}

impl Verdict {
    /// What that status means.
    pub fn of(status: Option<RunStatus>) -> Self {
        match status {
            Some(RunStatus::Error) => Self::Failed,
            Some(RunStatus::Cancelled) => Self::Cancelled,
            Some(RunStatus::Success) => Self::Succeeded,
            Some(RunStatus::Queued | RunStatus::Starting | RunStatus::Running | RunStatus::Unknown(_)) | None => {
                Self::Unfinished
            }
        }
    }
}

/// Why a run failed, as far as dbt Cloud tells.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFailure {
    /// The run, without its steps.
    pub run: Run,
    /// What became of it.
    pub verdict: Verdict,
    /// The step that failed, or during which the run was cancelled.
    pub step: Option<RunStep>,
    /// The names of the steps that did not run because of it.
    pub skipped_steps: Vec<String>,
    /// What that step left about its nodes.
    pub results: Option<FailedNodes>,
    /// The end of that step's log.
    pub log_tail: Option<Excerpt>,
    /// What could not be had, and why.
    pub not_available: Vec<NotAvailable>,
}

/// The nodes of one command that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedNodes {
    /// The file that names them.
    pub file: ResultsFile,
    /// How many nodes there are in all.
    pub count: usize,
    /// How many failed.
    pub failed_count: usize,
    /// How many did not run because of them.
    pub skipped_count: usize,
    /// Those that failed, in the file's order; no more than the settings allow.
    pub failed: Vec<FailedNode>,
}

/// A node that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedNode {
    /// `model.shop.orders`
    pub unique_id: Option<String>,
    /// `error`, `fail`, `runtime error`, `partial success`.
    pub status: Option<String>,
    /// What went wrong.
    pub message: Option<Excerpt>,
    /// How many rows failed a test.
    pub failures: Option<i64>,
    /// The table or view, as the warehouse knows it.
    pub relation_name: Option<String>,
    /// How long it ran, in seconds.
    pub execution_secs: Option<f64>,
}

/// As much of a text as an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, without terminal colours.
    pub text: String,
    /// Whether there was more.
    pub is_cut: bool,
}

/// Something that would have told more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAvailable {
    /// What: `step`, `results` or `log`.
    pub what: &'static str,
    /// Why not, in a sentence.
    pub why: String,
}

impl RunFailure {
    /// Notes what could not be had, and why.
    pub fn lacks(&mut self, what: &'static str, why: impl Into<String>) {
        let why = why.into();
        self.not_available.push(NotAvailable { what, why });
    }
}
