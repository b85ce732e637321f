//! Ids as newtypes, so that a job id cannot be passed as an account id.
//!
//! dbt Cloud's ids are 64-bit since June 2024 (some have 14 digits); the gateway's are `bigint` columns.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};

/// An id in the path of a route.
pub trait PathId: From<i64> {
    /// The name of the path parameter: `project_id`.
    const PARAMETER: &'static str;
}

/// Declares an id; `in path "project_id"` names its path parameter in routes.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident in path $parameter:literal) => {
        crate::ids::id!($(#[$doc])* $name);

        impl crate::PathId for $name {
            const PARAMETER: &'static str = $parameter;
        }
    };
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(crate::ids::NumberOrText).map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

pub(crate) use id;

/// Reads ids written as numbers or, as sometimes by dbt Cloud and always in query strings, as text.
pub(crate) struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a positive whole number")
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<i64, E> {
        Ok(id)
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<i64, E> {
        i64::try_from(id).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        let id = text.parse().ok().filter(|id| *id > 0);
        id.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

id!(/// A dbt Cloud account.
    AccountId in path "account_id");
id!(/// A dbt Cloud project.
    ProjectId in path "project_id");
id!(/// A dbt Cloud environment.
    EnvironmentId in path "environment_id");
id!(/// Credentials of dbt Cloud for a warehouse; none of the gateway's.
    WarehouseCredentialsId);
id!(/// A dbt Cloud job: the definition, not one execution of it.
    JobId in path "job_id");
id!(/// A dbt Cloud run: one execution of a job.
    RunId in path "run_id");
id!(/// A company (tenant) of this gateway. The migrations create company 1.
    CompanyId);
id!(/// A caller's API key of this gateway.
    ApiKeyId in path "api_key_id");
id!(/// A process of this gateway, a row of the table `instance`.
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
        for other in [
            "1.5",
            "\"x\"",
            "\"0\"",
            "\"-1\"",
            "true",
            "null",
            "18446744073709551615",
        ] {
            assert!(serde_json::from_str::<RunId>(other).is_err(), "{other}");
        }
    }
}
