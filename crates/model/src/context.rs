//! The context of one request, from its arrival to its row in the request log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::{NoContext, Uuid};

use crate::{AccountId, Caller, ClientType, Clock, Held, RequestType, Served, TraceContext, Upstream};

/// The set of public routes through which a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
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
    /// Every surface.
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

/// A caller's own `x-request-id`. Recorded in addition to the gateway's request UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRequestId(String);

impl CallerRequestId {
    /// The longest accepted text, in characters.
    pub const MAX_CHARS: usize = 128;

    /// `None` if the text is empty, longer than [`Self::MAX_CHARS`], or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (printable && (1..=Self::MAX_CHARS).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The text as the caller sent it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Arrival time and UUID of a request. Created once, when the request arrives.
#[derive(Debug, Clone)]
pub struct RequestStamp {
    request_uuid: Uuid,
    started_at: DateTime<Utc>,
    arrival: Instant,
    /// The set of routes through which it arrived.
    pub surface: Surface,
    /// The template of the route, without ids: `/projects/{project_id}`.
    pub template: Option<Arc<str>>,
    /// The caller's own `x-request-id`, if valid.
    pub caller_request_id: Option<CallerRequestId>,
    /// The caller's trace context, if any.
    pub trace: Option<Arc<TraceContext>>,
    /// Whether the caller wants no kept answer: `Cache-Control: no-cache`.
    pub wants_new: bool,
    /// How long the caller waits, if it says so.
    pub timeout: Option<Duration>,
    /// Where its answer is from.
    pub served: Served,
    /// What the request holds until its answer is written.
    pub held: Held,
}

impl RequestStamp {
    /// Stamps a request that arrives now. The UUID (version 7) contains the same time as `started_at`, so that the day of a
    /// row follows from its UUID.
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
            wants_new: false,
            timeout: None,
            served: Served::default(),
            held: Held::default(),
        }
    }

    /// The id of the request in its row, log lines, problem bodies and `x-request-id`.
    pub fn request_uuid(&self) -> Uuid {
        self.request_uuid
    }

    /// When the request arrived.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// When the caller stops waiting, if it says so.
    pub fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.arrival + timeout)
    }

    /// The time since the arrival, by a monotonic clock.
    pub fn elapsed(&self) -> Duration {
        self.arrival.elapsed()
    }
}

/// The target of a request: one account, which is the rule, or several.
pub trait Destination {
    /// The credential if there is exactly one account.
    fn only(&self) -> Option<&Upstream>;
}

impl Destination for Arc<Upstream> {
    fn only(&self) -> Option<&Upstream> {
        Some(self)
    }
}

/// Several accounts, each with its credential, in the order of their ids.
pub type EachAccount = Arc<[Arc<Upstream>]>;

impl Destination for EachAccount {
    fn only(&self) -> Option<&Upstream> {
        match &**self {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// One admitted request: caller, operation and target.
///
/// One call of `DbtClient` is one context, one request scope, one row. Nearly all requests have one account;
/// `ClientContext<EachAccount>` is for a request to several.
#[derive(Debug, Clone)]
pub struct ClientContext<To = Arc<Upstream>> {
    stamp: RequestStamp,
    request_type: RequestType,
    caller: Caller,
    to: To,
}

impl<To> ClientContext<To> {
    /// Called only by the gate, after it has checked read-only mode, role and account.
    pub fn admitted(stamp: RequestStamp, request_type: RequestType, caller: Caller, to: To) -> Self {
        Self {
            stamp,
            request_type,
            caller,
            to,
        }
    }

    /// UUID and arrival time of the request.
    pub fn stamp(&self) -> &RequestStamp {
        &self.stamp
    }

    /// The request's UUID.
    pub fn request_uuid(&self) -> Uuid {
        self.stamp.request_uuid
    }

    /// The requested operation.
    pub fn request_type(&self) -> RequestType {
        self.request_type
    }

    /// The API of dbt Cloud that serves it, if any.
    pub fn client_type(&self) -> Option<ClientType> {
        self.request_type.client_type()
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The target, with its credentials.
    pub fn to(&self) -> &To {
        &self.to
    }
}

impl ClientContext {
    /// The account's base URLs and token.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.to
    }

    /// The account.
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
    fn the_uuid_contains_the_millisecond_of_started_at() {
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
    fn a_callers_request_id_is_accepted_only_if_short_and_printable() {
        assert_eq!(CallerRequestId::new("order 4711").unwrap().as_str(), "order 4711");
        for bad in ["", "line\nbreak", "ünï", &"x".repeat(129)] {
            assert_eq!(CallerRequestId::new(bad), None, "{bad:?}");
        }
    }
}
