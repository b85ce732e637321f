//! Ids as newtypes, so that a job id cannot be passed as an account id.
//!
//! dbt Cloud's ids are 64-bit since June 2024 (14 digits have been seen); ours are `bigint` columns.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
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
