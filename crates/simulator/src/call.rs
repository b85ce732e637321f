//! One request as handlers see it: routed, authenticated, its query and body ready to read.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::config::RunTiming;
use crate::query::{Query, Related};
use crate::reply::Refusal;
use crate::switches::Switches;

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The accounts the token is good for.
    pub(crate) accounts: Vec<i64>,
    /// The user behind a personal token; service tokens have none.
    pub(crate) user_id: Option<i64>,
    /// The service token behind the request, where it is one.
    pub(crate) service_token_id: Option<i64>,
}

/// What a handler gets besides the world.
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
    /// `http://host:port` as the caller addressed it, for links in answers.
    pub(crate) origin: String,
    /// For the one operation that calls somebody itself.
    pub(crate) http: reqwest::Client,
    pub(crate) webhook_timeout: Duration,
}

impl Call {
    /// A path parameter as text; empty when the template has none of that name.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params
            .iter()
            .find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// A numeric path parameter. Anything else means nothing is there.
    pub(crate) fn id(&self, name: &str) -> Result<i64, Refusal> {
        self.param(name).parse().map_err(|_| Refusal::not_found())
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        if self.body.is_empty() {
            return Ok(Map::new());
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

    /// The related objects the caller asked for, whether they exist or not.
    pub(crate) fn related(&self) -> Related {
        Related::asked(&self.query)
    }

    /// Field errors with the status the switches say.
    pub(crate) fn invalid(&self, fields: Value) -> Refusal {
        let mut refusal = Refusal::invalid(fields);
        if let Ok(status) = http::StatusCode::from_u16(self.switches.invalid_body_status) {
            refusal.status = status;
        }
        refusal
    }

    /// Who is named in audits.
    pub(crate) fn caller_name(&self) -> String {
        if self.caller.user_id.is_some() {
            "user".to_owned()
        } else {
            "service token".to_owned()
        }
    }
}
