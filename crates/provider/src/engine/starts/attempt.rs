//! What an attempt asks: its marker, its fingerprints, and which errors are definite.

use dbt_api::ApiError;
use http::StatusCode;
use model::{CAUSE_MAX_CHARS, ClientContext, JobId, RequestStamp, RunId, TriggerJob};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use storage::{NewAttempt, StartKind};

use crate::TriggerSettings;

/// How many characters of a cause are compared where dbt Cloud may have cut it.
const START_CHARS: usize = 32;
const MARKER_START: &str = " [dgw:";

/// What is started.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) kind: StartKind,
    pub(crate) job: Option<JobId>,
    pub(crate) retried: Option<RunId>,
    /// What is asked of dbt Cloud, for the fingerprint.
    pub(crate) body: Value,
    /// The cause as it is sent.
    pub(crate) cause: Option<String>,
    /// The marker in the cause.
    pub(crate) marker: Option<String>,
}

impl Subject {
    /// A trigger or a retry without a body.
    pub(crate) fn without_body(kind: StartKind, job: Option<JobId>, retried: Option<RunId>) -> Self {
        Self {
            kind,
            job,
            retried,
            body: Value::Null,
            cause: None,
            marker: None,
        }
    }

    /// The attempt of a request.
    pub(crate) fn attempt(&self, ctx: &ClientContext, settings: &TriggerSettings) -> NewAttempt {
        let upstream = ctx.upstream();
        NewAttempt {
            request_uuid: ctx.request_uuid(),
            company_id: ctx.caller().company_id,
            api_key_id: ctx.caller().api_key_id,
            credential: upstream.name.clone(),
            host: upstream.admin_url.host_str().unwrap_or_default().to_owned(),
            account_id: upstream.account_id,
            job_id: self.job,
            kind: self.kind,
            retried_run_id: self.retried,
            fingerprint: self.fingerprint(),
            cause_hash: self.cause.as_deref().map(hash),
            cause_start_hash: self.cause.as_deref().map(|cause| hash(start_of(cause))),
            marker: self.marker.clone(),
            is_sent: true,
            lease: settings.lease,
            horizon: settings.horizon,
        }
    }

    /// SHA-256 of what is asked, without the marker.
    fn fingerprint(&self) -> [u8; 32] {
        let whole = serde_json::json!([self.kind.as_str(), self.job, self.retried, self.body,]);
        hash(&whole.to_string())
    }
}

/// The trigger with a marker at the end of its cause, and the marker: the last 16 digits of the request's UUID, so that a
/// run at dbt Cloud leads to its request. The cause is cut to make room.
pub(crate) fn marked(stamp: &RequestStamp, trigger: &TriggerJob) -> (TriggerJob, String) {
    let digits = stamp.request_uuid().simple().to_string();
    let marker = digits[digits.len() - 16..].to_owned();
    let end = format!("{MARKER_START}{marker}]");
    let room = CAUSE_MAX_CHARS - end.chars().count();
    let mut cause: String = trigger.cause.chars().take(room).collect();
    cause.push_str(&end);
    let trigger = TriggerJob {
        cause,
        ..trigger.clone()
    };
    (trigger, marker)
}

/// Whether a cause ends with that marker.
pub(super) fn has_marker(cause: &str, marker: &str) -> bool {
    cause
        .strip_suffix(']')
        .and_then(|rest| rest.strip_suffix(marker))
        .is_some_and(|rest| rest.ends_with(MARKER_START))
}

/// Whether a cause has any marker.
pub(super) fn has_any_marker(cause: &str) -> bool {
    cause.contains(MARKER_START)
}

pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The part of a cause that is compared where dbt Cloud may have cut it.
pub(super) fn start_of(cause: &str) -> &str {
    cause
        .char_indices()
        .nth(START_CHARS)
        .map_or(cause, |(end, _)| &cause[..end])
}

/// Whether dbt Cloud has certainly not started a run: it refused, or the request did not reach it. A 5xx, a time-out, a
/// broken connection and an unreadable answer leave that open.
pub(crate) fn is_definite(error: &ApiError) -> bool {
    match error {
        ApiError::Connect(_)
        | ApiError::NotProcessed(_)
        | ApiError::ForbiddenAddress
        | ApiError::Unsendable(_)
        | ApiError::CircuitOpen { .. }
        | ApiError::BudgetExhausted { .. }
        | ApiError::BudgetUnavailable(_)
        | ApiError::ShareExhausted { status: None, .. } => true,
        ApiError::Timeout { .. }
        | ApiError::Disconnected { .. }
        | ApiError::Decode { .. }
        // dbt Cloud's refusals have the status 4xx themselves.
        | ApiError::SaysFailed { .. }
        | ApiError::TooLarge { .. }
        | ApiError::ShareExhausted { .. } => false,
        _ => error
            .status()
            .is_some_and(|status| status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT),
    }
}

#[cfg(test)]
mod tests {
    use model::{Surface, SystemClock};

    use super::*;

    #[test]
    fn a_marker_fits_into_the_cause_and_is_found_again() {
        let stamp = RequestStamp::now(&SystemClock, Surface::Rest, None);
        for length in [1, 232, 233, 255] {
            let trigger = TriggerJob {
                cause: "é".repeat(length),
                ..TriggerJob::default()
            };
            let (sent, marker) = marked(&stamp, &trigger);
            assert_eq!(sent.cause.chars().count(), length.min(232) + 23);
            assert!(has_marker(&sent.cause, &marker) && has_any_marker(&sent.cause));
            assert!(!has_marker(&sent.cause, "0000000000000000"));
            assert!(stamp.request_uuid().simple().to_string().ends_with(&marker));
        }
        assert!(!has_any_marker("Orders were reloaded"));
    }

    #[test]
    fn only_what_cannot_have_started_a_run_is_definite() {
        let status = |code| ApiError::UnexpectedStatus {
            status: StatusCode::from_u16(code).unwrap(),
            message: "x".to_owned(),
            retry_after: None,
        };
        for (code, definite) in [
            (405, true),
            (408, false),
            (409, true),
            (500, false),
            (502, false),
            (503, false),
        ] {
            assert_eq!(is_definite(&status(code)), definite, "{code}");
        }
        let message = || "x".to_owned();
        assert!(is_definite(&ApiError::NotFound { message: message() }));
        assert!(is_definite(&ApiError::Connect("refused".into())));
        assert!(is_definite(&ApiError::NotProcessed("goaway".into())));
        let status = StatusCode::OK;
        assert!(!is_definite(&ApiError::Decode {
            status,
            source: "x".into()
        }));
        assert!(!is_definite(&ApiError::Disconnected {
            status: None,
            source: "x".into()
        }));
        assert!(!is_definite(&ApiError::Timeout {
            status: None,
            source: "x".into()
        }));
    }
}
