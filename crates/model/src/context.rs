//! What one request carries from the gate to the wire and into its row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::{NoContext, Uuid};

use crate::{AccountId, Caller, ClientType, Clock, RequestType, TraceContext, Upstream};

/// The set of outside routes a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Surface {
    /// The REST routes of this gateway.
    Rest,
    /// dbt Cloud's own routes, relayed.
    Dbt,
    /// No route: a command or background work.
    Internal,
}

impl Surface {
    /// Every surface, for tests and tables.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Dbt, Self::Internal];

    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Dbt => "dbt",
            Self::Internal => "internal",
        }
    }
}

/// A caller's own `x-request-id`: kept beside ours, never used in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRequestId(String);

impl CallerRequestId {
    /// The longest text that is kept, in characters.
    pub const MAX_CHARS: usize = 128;

    /// `None` when the text is empty, longer than [`Self::MAX_CHARS`], or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (printable && (1..=Self::MAX_CHARS).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The text as the caller sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// When a request arrived and what it is called: made once, at the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestStamp {
    request_uuid: Uuid,
    started_at: DateTime<Utc>,
    arrival: Instant,
    /// The set of routes it came through.
    pub surface: Surface,
    /// The route's template, `/projects/{project_id}`: it carries no ids.
    pub template: Option<Arc<str>>,
    /// The caller's own `x-request-id`, where it sent a usable one.
    pub caller_request_id: Option<CallerRequestId>,
    /// The trace it belongs to, where its caller names one.
    pub trace: Option<Arc<TraceContext>>,
}

impl RequestStamp {
    /// Stamps a request that arrives now. The UUID (version 7) is of the same clock reading as `started_at`, so that
    /// the day of a row can be told from its UUID.
    pub fn now(clock: &dyn Clock, surface: Surface, caller_request_id: Option<CallerRequestId>) -> Self {
        let started_at = clock.now();
        let seconds = u64::try_from(started_at.timestamp()).unwrap_or(0);
        let timestamp = uuid::Timestamp::from_unix(NoContext, seconds, started_at.timestamp_subsec_nanos());
        Self {
            request_uuid: Uuid::new_v7(timestamp),
            started_at,
            arrival: Instant::now(),
            surface,
            template: None,
            caller_request_id,
            trace: None,
        }
    }

    /// The request's name everywhere: row, log lines, problem bodies, `x-request-id`.
    pub fn request_uuid(&self) -> Uuid {
        self.request_uuid
    }

    /// When the request arrived.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// How long ago that was, whatever happened to the clock since.
    pub fn elapsed(&self) -> Duration {
        self.arrival.elapsed()
    }
}

/// Where a request goes: to one account, which is the rule, or to each of several.
pub trait Destination {
    /// The one account's credential; `None` where there are several accounts, or none at all.
    fn only(&self) -> Option<&Upstream>;
}

impl Destination for Arc<Upstream> {
    fn only(&self) -> Option<&Upstream> {
        Some(self)
    }
}

/// Several accounts, each with its own credential, in the order of their ids.
pub type EachAccount = Arc<[Arc<Upstream>]>;

impl Destination for EachAccount {
    fn only(&self) -> Option<&Upstream> {
        match &**self {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// One admitted request: who asks for what, where it goes, and the name it has everywhere.
///
/// One call of `DbtClient` is one context, one bracket, one row. Nearly all go to one account; `ClientContext<EachAccount>`
/// is of a request that asks several, each with its own credential.
#[derive(Debug, Clone)]
pub struct ClientContext<To = Arc<Upstream>> {
    stamp: RequestStamp,
    request_type: RequestType,
    caller: Caller,
    to: To,
}

impl<To> ClientContext<To> {
    /// For the gate alone, which has checked read-only mode, role and account.
    pub fn admitted(stamp: RequestStamp, request_type: RequestType, caller: Caller, to: To) -> Self {
        Self {
            stamp,
            request_type,
            caller,
            to,
        }
    }

    /// The request's UUID and arrival.
    pub fn stamp(&self) -> &RequestStamp {
        &self.stamp
    }

    /// The request's UUID.
    pub fn request_uuid(&self) -> Uuid {
        self.stamp.request_uuid
    }

    /// What is asked for.
    pub fn request_type(&self) -> RequestType {
        self.request_type
    }

    /// The API of dbt Cloud that answers it.
    pub fn client_type(&self) -> Option<ClientType> {
        self.request_type.client_type()
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Where it goes, with which token or tokens.
    pub fn to(&self) -> &To {
        &self.to
    }
}

impl ClientContext {
    /// Where it goes, with which token.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.to
    }

    /// The account it is about.
    pub fn account_id(&self) -> AccountId {
        self.to.account_id
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::FixedClock;

    #[test]
    fn the_uuid_tells_the_millisecond_of_started_at() {
        let clock = FixedClock::at(Utc.with_ymd_and_hms(2026, 2, 3, 23, 59, 59).unwrap());
        let stamp = RequestStamp::now(&clock, Surface::Rest, None);
        let (seconds, nanos) = stamp.request_uuid().get_timestamp().unwrap().to_unix();
        assert_eq!(seconds.cast_signed(), stamp.started_at().timestamp());
        assert_eq!(nanos / 1_000_000, stamp.started_at().timestamp_subsec_millis());
        assert_ne!(
            stamp.request_uuid(),
            RequestStamp::now(&clock, Surface::Rest, None).request_uuid()
        );
    }

    #[test]
    fn a_callers_own_id_is_kept_only_when_short_and_printable() {
        assert_eq!(CallerRequestId::new("order 4711").unwrap().as_str(), "order 4711");
        for bad in ["", "line\nbreak", "ünï", &"x".repeat(129)] {
            assert_eq!(CallerRequestId::new(bad), None, "{bad:?}");
        }
    }
}
