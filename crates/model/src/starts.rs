//! Starting a run: how a request for one is repeated safely, and what becomes of runs that are active.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{JobId, Run, RunId, TriggerJob};

/// A caller's name for one request: a repeat with the same key is answered with the first answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Reads the header: 1 to 255 printable ASCII characters, bare or as a quoted string (RFC 8941) in which `\"` and `\\`
    /// are escapes. `None` for anything else.
    pub fn parse(header: &str) -> Option<Self> {
        let text = match header.strip_prefix('"') {
            Some(quoted) => unquoted(quoted.strip_suffix('"')?)?,
            None => header.to_owned(),
        };
        let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (is_printable && (1..=Self::MAX_CHARS).contains(&text.len())).then_some(Self(text))
    }

    /// The key, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The content of a quoted string.
fn unquoted(text: &str) -> Option<String> {
    let mut content = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => content.push(characters.next().filter(|next| ['"', '\\'].contains(next))?),
            other => content.push(other),
        }
    }
    Some(content)
}

/// What happens where the job has active runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfRunning {
    /// Start another run, which dbt Cloud queues behind them.
    #[default]
    Queue,
    /// Return the active run, if it has the same overrides.
    Reuse,
    /// Start nothing.
    Reject,
    /// Cancel those that are queued or starting, never one that runs, then start.
    CancelQueued,
}

/// How a run is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartOptions {
    /// The caller's key for this request.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What happens where the job has active runs.
    pub if_running: IfRunning,
}

/// Where the run in the answer comes from: the header `x-run-origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOrigin {
    /// dbt Cloud answered with it.
    Started,
    /// dbt Cloud's answer was lost, and the run was found.
    Resolved,
    /// It was active before.
    Reused,
    /// The first answer to the idempotency key, or to the same request a moment ago.
    Replayed,
}

impl RunOrigin {
    /// The spelling of the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Resolved => "resolved",
            Self::Reused => "reused",
            Self::Replayed => "replayed",
        }
    }
}

impl fmt::Display for RunOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The run of a request that starts one.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedRun {
    /// The run.
    pub run: Run,
    /// Where it comes from.
    pub origin: RunOrigin,
    /// The status of the first answer, where this one repeats it.
    pub replayed_status: Option<u16>,
}

impl StartedRun {
    /// A run that this request started or found.
    pub fn new(run: Run, origin: RunOrigin) -> Self {
        Self {
            run,
            origin,
            replayed_status: None,
        }
    }
}

/// The answer to a change that may carry an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeatable<T> {
    /// The answer.
    pub value: T,
    /// Whether it repeats the first answer to the key.
    pub is_repeated: bool,
}

impl<T> Repeatable<T> {
    /// The first answer.
    pub fn first(value: T) -> Self {
        Self {
            value,
            is_repeated: false,
        }
    }

    /// The first answer again.
    pub fn repeated(value: T) -> Self {
        Self {
            value,
            is_repeated: true,
        }
    }
}

/// What a trigger would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartDecision {
    /// It would start a run.
    Start,
    /// It would return the active run.
    Reuse,
    /// It would be refused: 409.
    Reject,
    /// It would cancel queued runs, then start one.
    CancelThenStart,
}

/// The answer to a trigger with `dry_run`: nothing was sent that starts or cancels a run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StartPreview {
    /// The job.
    #[schema(value_type = i64)]
    pub job_id: JobId,
    /// The body that would be sent to dbt Cloud, without the marker at the end of `cause`.
    pub request: TriggerJob,
    /// The job's runs that are queued, starting or running, newest first; at most 100.
    pub active_runs: Vec<Run>,
    /// What would happen with them.
    pub decision: StartDecision,
    /// The run that would be returned.
    #[schema(value_type = Option<i64>)]
    pub would_reuse: Option<RunId>,
    /// The runs that would be cancelled.
    #[schema(value_type = Vec<i64>)]
    pub would_cancel: Vec<RunId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_bare_or_quoted() {
        let read = |header: &str| IdempotencyKey::parse(header).map(|key| key.as_str().to_owned());
        assert_eq!(read("abc").as_deref(), Some("abc"));
        assert_eq!(read(r#""a \"b\" \\ c""#).as_deref(), Some(r#"a "b" \ c"#));
        assert_eq!(read(&"x".repeat(255)).map(|key| key.len()), Some(255));
        for bad in [
            "",
            "\"\"",
            "\"open",
            r#""a"b""#,
            r#""a\n""#,
            "ünï",
            "a\tb",
            &"x".repeat(256),
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
