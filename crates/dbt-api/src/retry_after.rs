//! Reads how long dbt Cloud asks clients to wait. `provider` decides whether to.

use std::time::Duration;

use chrono::DateTime;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName};

/// Documented for SCIM only; it is unknown whether the Administrative API sends it with 429.
const RATE_LIMIT_RETRY_AFTER: HeaderName = HeaderName::from_static("x-rate-limit-retry-after-seconds");

/// The longest wait; longer ones are cut to it.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads `Retry-After` (seconds or a date), else `x-rate-limit-retry-after-seconds`; at most a day.
///
/// A date is compared with the answer's `Date`, so that the clocks need not agree; without `Date` it is ignored. A date in
/// the past gives zero.
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

/// Accepts fractions, which some proxies send although the standard has none.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
