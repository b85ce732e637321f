//! What an envelope says about the success of its request, whatever the HTTP status: proxies and some of dbt Cloud's hosts
//! send refusals with the status 200.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A decoded envelope.
pub(crate) trait Envelope {
    /// Its fields beside the data.
    fn head(&self) -> Head<'_>;
}

/// The fields of an envelope beside its data.
pub(crate) struct Head<'e> {
    status: Option<&'e RawValue>,
    error_code: Option<&'e RawValue>,
}

/// The envelope says that the request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status that it names, 400 to 599.
    pub(crate) status: Option<StatusCode>,
}

impl<'e> Head<'e> {
    pub(crate) fn new(status: Option<&'e RawValue>, error_code: Option<&'e RawValue>) -> Self {
        Self { status, error_code }
    }

    /// Whether it says in words that the request succeeded.
    pub(crate) fn says_success(&self) -> bool {
        self.failure().is_none() && flag(&value(self.status)) == Some(true)
    }

    /// `is_success: false`, a `status.code` from 400, or an `error_code` from 400 that no `is_success: true` contradicts.
    /// Fields of another type say nothing.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let status = value(self.status);
        let (flag, code) = (flag(&status), number(&status["code"]));
        let error_code = number(&value(self.error_code)).filter(|_| flag != Some(true));
        let is_error = |code: &u64| *code >= 400;
        let (code, error_code) = (code.filter(is_error), error_code.filter(is_error));
        if flag != Some(false) && code.is_none() && error_code.is_none() {
            return None;
        }
        let named = code.or(error_code).and_then(|code| u16::try_from(code).ok());
        let named = named.and_then(|code| StatusCode::from_u16(code).ok());
        Some(Failure {
            status: named.filter(|status| status.is_client_error() || status.is_server_error()),
        })
    }
}

/// The failure that a body says in an envelope; `None` for other bodies.
pub(crate) fn failure_of(body: &[u8]) -> Option<Failure> {
    #[derive(Deserialize)]
    struct HeadWire {
        status: Option<Box<RawValue>>,
        error_code: Option<Box<RawValue>>,
    }
    let HeadWire { status, error_code } = serde_json::from_slice(body).ok()?;
    Head::new(status.as_deref(), error_code.as_deref()).failure()
}

fn value(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn flag(status: &Value) -> Option<bool> {
    status["is_success"].as_bool()
}

/// Some envelopes write numbers as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::option_option,
        reason = "no failure, a failure without a status, one with a status"
    )]
    fn status(body: &str) -> Option<Option<u16>> {
        let failure = failure_of(body.as_bytes());
        failure.map(|failure| failure.status.map(|status| status.as_u16()))
    }

    #[test]
    fn an_envelope_that_says_that_the_request_failed_names_its_status_or_none() {
        for (body, expected) in [
            (r#"{"status":{"code":401,"is_success":false},"data":null}"#, Some(401)),
            (r#"{"status":{"code":404},"data":null}"#, Some(404)),
            (r#"{"status":{"code":"403","is_success":false}}"#, Some(403)),
            (r#"{"status":{"code":500,"is_success":true},"data":[]}"#, Some(500)),
            (r#"{"status":{"code":200,"is_success":false},"data":null}"#, None),
            (r#"{"status":{"is_success":false}}"#, None),
            (r#"{"status":{"code":9000,"is_success":false}}"#, None),
            (r#"{"data":null,"error_code":404}"#, Some(404)),
            (r#"{"data":null,"error_code":"422","status":{}}"#, Some(422)),
            (
                r#"{"status":{"code":200,"is_success":false},"error_code":429}"#,
                Some(429),
            ),
        ] {
            assert_eq!(status(body), Some(expected), "{body}");
        }
    }

    #[test]
    fn other_bodies_say_nothing() {
        for body in [
            r#"{"status":{"code":200,"is_success":true},"data":[]}"#,
            r#"{"status":{"code":200}}"#,
            r#"{"status":null,"data":{},"error_code":null}"#,
            r#"{"status":{"is_success":true},"error_code":500}"#,
            r#"{"data":[],"error_code":0}"#,
            r#"{"status":"error"}"#,
            r#"{"status":20,"id":1}"#,
            "[]",
            "",
            "<html>",
        ] {
            assert_eq!(status(body), None, "{body}");
        }
    }
}
