//! The filters of the request log.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use client::{LogFilter, LogPosition, OutcomeFilter};
use model::{AccountId, ApiKeyId, JobId, RequestType, RunId, Surface, excerpt};
use serde::de::{Deserialize, Deserializer, Error};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::extract::Moment;
use crate::words::{OutcomeName, RequestTypeName};

/// Declares a query: the filters of the log, and what else it may hold.
macro_rules! log_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            /// The earliest arrival, included: a time by RFC 3339.
            #[param(value_type = Option<String>, format = DateTime, example = "2026-03-19T11:00:00Z")]
            from: Option<Moment>,
            /// The latest arrival, excluded.
            #[param(value_type = Option<String>, format = DateTime, example = "2026-03-19T12:00:00Z")]
            to: Option<Moment>,
            /// The operation, by its name in this document.
            #[param(value_type = Option<RequestTypeName>, example = "trigger_job")]
            request_type: Option<Word<RequestType>>,
            /// The outcome; `open`: not finished.
            #[param(value_type = Option<OutcomeName>, example = "timeout")]
            outcome: Option<Word<OutcomeFilter>>,
            /// dbt Cloud's last status.
            #[serde(default, deserialize_with = "http_status")]
            #[param(minimum = 100, maximum = 599)]
            status_code: Option<u16>,
            /// `rest`: a REST route; `dbt`: a route of dbt Cloud, relayed; `internal`: a command.
            #[param(value_type = Option<Surface>)]
            surface: Option<Word<Surface>>,
            /// The caller's key.
            #[param(value_type = Option<i64>)]
            api_key_id: Option<ApiKeyId>,
            /// The dbt Cloud account.
            #[param(value_type = Option<i64>)]
            account_id: Option<AccountId>,
            /// The job.
            #[param(value_type = Option<i64>)]
            job_id: Option<JobId>,
            /// The run; also finds its trigger.
            #[param(value_type = Option<i64>)]
            run_id: Option<RunId>,
            $($(#[$field_doc])* pub(super) $field: $type,)*
        }

        impl $name {
            pub(super) fn filter(&self) -> LogFilter {
                LogFilter {
                    from: self.from.map(|moment| moment.0),
                    to: self.to.map(|moment| moment.0),
                    request_type: self.request_type.map(|word| word.0),
                    outcome: self.outcome.map(|word| word.0),
                    status_code: self.status_code,
                    surface: self.surface.map(|word| word.0),
                    api_key_id: self.api_key_id,
                    account_id: self.account_id,
                    job_id: self.job_id,
                    run_id: self.run_id,
                }
            }
        }
    };
}

log_query! {
    /// Which requests, and which page of them.
    ListRequestLogs {
        /// The start of the page: use the address in `next`.
        #[param(value_type = Option<String>, pattern = "^A[A-Za-z0-9_-]{31}$")]
        cursor: Option<Cursor>,
        /// Entries per page.
        #[param(minimum = 1, maximum = 1000, default = 100)]
        page_size: Option<u32>,
    }
}

log_query! {
    /// Which requests.
    FilterRequestLogs {}
}

fn http_status<'de, D: Deserializer<'de>>(parameter: D) -> Result<Option<u16>, D::Error> {
    let text = String::deserialize(parameter)?;
    let status = text.parse().ok().filter(|status| (100..=599).contains(status));
    let invalid = || D::Error::custom(format_args!("`{}` is no status from 100 to 599", excerpt(&text)));
    status.map(Some).ok_or_else(invalid)
}

/// A fixed set of words.
trait Vocabulary: Sized {
    fn all() -> Vec<Self>;
    fn spelling(&self) -> &'static str;
}

macro_rules! vocabulary {
    ($type:ty, $all:expr) => {
        impl Vocabulary for $type {
            fn all() -> Vec<Self> {
                $all.into_iter().collect()
            }

            fn spelling(&self) -> &'static str {
                self.as_str()
            }
        }
    };
}
vocabulary!(RequestType, RequestType::ALL);
vocabulary!(OutcomeFilter, OutcomeFilter::all());
vocabulary!(Surface, Surface::ALL);

#[derive(Debug, Clone, Copy)]
struct Word<T>(T);

impl<'de, T: Vocabulary> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let found = T::all().into_iter().find(|known| known.spelling() == word);
        found.map(Self).ok_or_else(|| {
            let words: Vec<_> = T::all().iter().map(T::spelling).collect();
            D::Error::custom(format_args!("`{}` is none of {}", excerpt(&word), words.join(", ")))
        })
    }
}

/// The start of a page in the query: microseconds since 1970 and the UUID of the last row before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor(pub(super) LogPosition);

pub(super) fn cursor_of(position: LogPosition) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&position.started_at.timestamp_micros().to_be_bytes());
    bytes[8..].copy_from_slice(position.request_uuid.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (micros, uuid) = bytes.split_first_chunk::<8>()?;
            Some(Self(LogPosition {
                started_at: DateTime::from_timestamp_micros(micros_of(*micros)?)?,
                request_uuid: Uuid::from_slice(uuid).ok()?,
            }))
        };
        parse().ok_or("it is not a cursor that `next` gave")
    }
}

/// Microseconds from 1970 on, less than 2^58 (the year 11103): those that base64 begins with `A`.
fn micros_of(bytes: [u8; 8]) -> Option<i64> {
    let micros = i64::from_be_bytes(bytes);
    (0..1 << 58).contains(&micros).then_some(micros)
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_spelling_to_the_microsecond() {
        for micros in [0, 1_768_467_600_123_456, (1 << 58) - 1] {
            let position = LogPosition {
                started_at: DateTime::from_timestamp_micros(micros).unwrap(),
                request_uuid: Uuid::max(),
            };
            let text = cursor_of(position);
            assert!(
                text.len() == 32 && text.starts_with('A') && !text.contains(['+', '/', '=']),
                "{text}"
            );
            assert_eq!(text.parse::<Cursor>().unwrap().0, position);
        }
    }

    #[test]
    fn other_texts_are_no_cursor() {
        let beyond_time = URL_SAFE_NO_PAD.encode([0x7f; 24]);
        let of = |micros: i64| {
            let mut bytes = [0; 24];
            bytes[..8].copy_from_slice(&micros.to_be_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let (before, after) = (of(-1), of(1 << 58));
        for text in [
            "",
            "AAAA",
            "not base64!",
            &"A".repeat(33),
            &beyond_time,
            &before,
            &after,
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
