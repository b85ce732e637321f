//! dbt Cloud's timestamps, which have two spellings.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A time in UTC.
///
/// dbt Cloud writes `2024-03-19T11:57:15.559970Z` and `2025-03-27 20:37:19.996618+00:00`. Both are read, as is a timestamp
/// without offset, which counts as UTC. Always written in the first spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub DateTime<Utc>);

impl Timestamp {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let with_offset = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
        let without = || {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
                .into_iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
                .map(|moment| moment.and_utc())
        };
        with_offset.ok().or_else(without).map(Self)
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(moment: Timestamp) -> Self {
        moment.0
    }
}

impl Serialize for Timestamp {
    /// As one string: `chrono`'s implementation writes to JSON character by character.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a timestamp"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_dbt_cloud_are_read_as_the_same_time() {
        let spellings = [
            "2025-03-27T20:37:19.996618Z",
            "2025-03-27 20:37:19.996618+00:00",
            "2025-03-27 20:37:19.996618",
            "2025-03-27T22:37:19.996618+02:00",
        ];
        for spelling in spellings {
            let read: Timestamp = serde_json::from_value(spelling.into()).unwrap();
            assert_eq!(
                serde_json::to_value(read).unwrap(),
                "2025-03-27T20:37:19.996618Z",
                "{spelling}"
            );
        }
    }

    #[test]
    fn other_text_is_not_a_timestamp() {
        for text in ["", "yesterday", "2025-13-01T00:00:00Z"] {
            assert!(serde_json::from_value::<Timestamp>(text.into()).is_err(), "{text}");
        }
    }
}
