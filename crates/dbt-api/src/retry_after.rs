//! How long dbt Cloud wants us to stay away. Only reads headers: whether and how long we wait, `provider` decides.

use std::time::Duration;

use chrono::DateTime;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

/// Documented for SCIM only; whether the Administrative API sends it with its 429 is not known.
const RATE_LIMIT_RETRY_AFTER: HeaderName = HeaderName::from_static("x-rate-limit-retry-after-seconds");

/// No header keeps us away for longer.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads `Retry-After` (seconds or a date), else `x-rate-limit-retry-after-seconds`; at most a day.
///
/// A date is compared with the answer's own `Date`, so that our clock and dbt's need not agree; without one it says
/// nothing. A date that has passed is zero.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let until = || {
        let moment = |name| DateTime::parse_from_rfc2822(text(name)?).ok();
        let wait = moment(&RETRY_AFTER)? - moment(&DATE)?;
        Some(wait.to_std().unwrap_or(Duration::ZERO))
    };
    text(&RETRY_AFTER)
        .and_then(seconds)
        .or_else(until)
        .or_else(|| text(&RATE_LIMIT_RETRY_AFTER).and_then(seconds))
        .map(|wait| wait.min(LONGEST))
}

/// Fractions are read although the standard has none: some gateways send them.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
