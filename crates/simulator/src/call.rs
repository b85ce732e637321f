//! One request as handlers get it: routed and authenticated.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::Value;

use crate::document::Doc;
use crate::query::{Query, Related};
use crate::refusal::Refusal;
use crate::switches::Switches;
use crate::timing::RunTiming;

/// The owner of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The accounts that the token may read and change.
    pub(crate) accounts: Vec<i64>,
    /// The user of a personal token.
    pub(crate) user_id: Option<i64>,
    /// The id of a service token.
    pub(crate) service_token_id: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) now: DateTime<Utc>,
    /// Upper-case.
    pub(crate) method: String,
    pub(crate) params: Vec<(&'static str, String)>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) caller: Caller,
    pub(crate) switches: Switches,
    pub(crate) timing: RunTiming,
    /// `scheme://host:port` as in the caller's `Host` header, for links in answers.
    pub(crate) origin: String,
    /// For the test of a webhook subscription.
    pub(crate) http: reqwest::Client,
    pub(crate) webhook_timeout: Duration,
}

impl Call {
    /// A path parameter; empty when the template has none of that name.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// A numeric path parameter; any other value is a 404.
    pub(crate) fn id(&self, name: &str) -> Result<i64, Refusal> {
        self.param(name).parse().map_err(|_| Refusal::not_found())
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Doc, Refusal> {
        if self.body.is_empty() {
            return Ok(Doc::new());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(Refusal::field(
                "non_field_errors",
                "Invalid data. Expected a dictionary.",
            )),
            Err(error) => Err(Refusal::field(
                "non_field_errors",
                format!("JSON parse error - {error}"),
            )),
        }
    }

    /// The requested related objects, known or not.
    pub(crate) fn related(&self) -> Related {
        Related::requested(&self.query)
    }

    /// Field errors with the status that the switches set.
    pub(crate) fn invalid(&self, fields: Value) -> Refusal {
        let mut refusal = Refusal::invalid(fields);
        if let Ok(status) = http::StatusCode::from_u16(self.switches.invalid_body_status) {
            refusal.status = status;
        }
        refusal
    }

    pub(crate) fn caller_name(&self) -> &'static str {
        match self.caller.user_id {
            Some(_) => "user",
            None => "service token",
        }
    }
}
