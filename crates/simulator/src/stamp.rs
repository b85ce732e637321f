//! Times and durations as dbt Cloud writes them. There are three formats of a timestamp; a resource uses one of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// `2021-11-26 16:48:41.431645+00:00`: runs, steps, projects, connections, repositories.
pub(crate) fn spaced(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()
}

/// `2021-11-18T15:19:03.185668+00:00`: accounts, jobs, users.
pub(crate) fn offset(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// `2024-03-19T11:57:15.559970Z`: the newer resources of v3, artifacts, webhooks.
pub(crate) fn zulu(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

pub(crate) fn spaced_or_null(at: Option<DateTime<Utc>>) -> Value {
    at.map_or(Value::Null, |at| Value::from(spaced(at)))
}

/// Reads all three formats, and a date as its midnight.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
        .map(|at| at.with_timezone(&Utc))
        .or_else(|_| {
            chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                .map(|at| at.and_utc())
        })
        .ok()
        .or_else(|| {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        })
}

/// `HH:MM:SS`, without fractions.
pub(crate) fn clock(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `1 minute, 50 seconds`: the largest unit and the next one; zero is `0 minutes`.
pub(crate) fn in_words(length: TimeDelta) -> String {
    const UNITS: [(i64, &str); 7] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (7 * 86_400, "week"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut left = length.num_seconds().max(0);
    let Some(first) = UNITS.iter().position(|(size, _)| left >= *size) else {
        return "0 minutes".to_owned();
    };
    let mut words = Vec::new();
    for (size, name) in UNITS.iter().skip(first).take(2) {
        let count = left / size;
        left %= size;
        if count > 0 {
            words.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_dbt_writes_them() {
        assert_eq!(clock(TimeDelta::seconds(110)), "00:01:50");
        assert_eq!(in_words(TimeDelta::seconds(110)), "1 minute, 50 seconds");
        assert_eq!(in_words(TimeDelta::days(15)), "2 weeks, 1 day");
        assert_eq!(in_words(TimeDelta::zero()), "0 minutes");
        assert_eq!(in_words(TimeDelta::seconds(39)), "39 seconds");
    }

    #[test]
    fn every_format_of_a_time_is_read_back() {
        let at = DateTime::from_timestamp_micros(1_637_945_321_431_645).expect("in range");
        for text in [spaced(at), offset(at), zulu(at)] {
            assert_eq!(parse(&text), Some(at), "{text}");
        }
        assert_eq!(
            parse("2021-11-26").map(spaced).as_deref(),
            Some("2021-11-26 00:00:00.000000+00:00")
        );
        assert_eq!(parse("yesterday"), None);
    }
}
