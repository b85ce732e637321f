//! Times in a query.

use chrono::{DateTime, Utc};
use model::excerpt;
use serde::{Deserialize, Deserializer, de::Error as _};

/// A time by RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment = DateTime::parse_from_rfc3339(&text).map_err(|_| {
            // In a query a plus sign means a space.
            let hint = if text.contains(' ') { "; write `+` as `%2B`" } else { "" };
            D::Error::custom(format_args!(
                "`{}` is not a time such as 2026-03-19T11:57:15Z{hint}",
                excerpt(&text)
            ))
        })?;
        Ok(Self(moment.to_utc()))
    }
}
