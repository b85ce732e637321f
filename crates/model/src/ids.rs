//! Ids as newtypes, so that a job id cannot be passed as an account id.
//!
//! dbt Cloud's ids are 64-bit since June 2024 (14 digits have been seen); ours are `bigint` columns.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(NumberOrText).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

/// dbt Cloud writes ids as numbers, and here and there as text (`"40650768"`); query strings know only text.
struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a whole number")
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<i64, E> {
        Ok(id)
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<i64, E> {
        i64::try_from(id).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

id!(/// A dbt Cloud account.
    AccountId);
id!(/// A dbt Cloud project.
    ProjectId);
id!(/// A dbt Cloud environment.
    EnvironmentId);
id!(/// A dbt Cloud job: the definition, not one execution of it.
    JobId);
id!(/// A dbt Cloud run: one execution of a job.
    RunId);
id!(/// A company (tenant) of this gateway. Company 1 comes with the migrations.
    CompanyId);
id!(/// A caller's API key of this gateway.
    ApiKeyId);
id!(/// One process of this gateway, as the table `instance` knows it.
    InstanceId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_numbers_and_as_text() {
        for spelling in ["70403110000000", "\"70403110000000\""] {
            assert_eq!(
                serde_json::from_str::<RunId>(spelling).unwrap(),
                RunId(70_403_110_000_000)
            );
        }
        for other in ["1.5", "\"x\"", "true", "null", "18446744073709551615"] {
            assert!(serde_json::from_str::<RunId>(other).is_err(), "{other}");
        }
    }
}
