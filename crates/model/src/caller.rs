//! The caller of a request: an API key of a company, with a role.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AccountId, ApiKeyId, CompanyId};

/// The permissions of a key within its company. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read.
    Viewer,
    /// May also start and stop runs.
    Operator,
    /// May also change definitions, credentials and keys.
    Admin,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The spelling of the API, the command line and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a role: use viewer, operator or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Keys have ids from 1.
const NO_KEY: ApiKeyId = ApiKeyId(0);

/// An authenticated caller. Contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// The company of the key.
    pub company_id: CompanyId,
    /// The role of the key.
    pub role: Role,
    /// The accounts that the key may use; `None` means all accounts of its company.
    pub accounts: Option<Vec<AccountId>>,
    /// The account of requests that name none.
    pub default_account: Option<AccountId>,
    /// The names of the credentials that the key may use, see [`Self::may_use_credential`].
    pub credentials: Option<Vec<String>>,
}

impl Caller {
    /// The gateway itself, in its background work for a company.
    pub fn internal(company_id: CompanyId) -> Self {
        Self {
            api_key_id: NO_KEY,
            company_id,
            role: Role::Viewer,
            accounts: None,
            default_account: None,
            credentials: None,
        }
    }

    /// The key; `None` for the gateway itself.
    pub fn key(&self) -> Option<ApiKeyId> {
        (self.api_key_id != NO_KEY).then_some(self.api_key_id)
    }

    /// Whether the key may use `account`.
    pub fn may_use(&self, account: AccountId) -> bool {
        self.accounts.as_ref().is_none_or(|list| list.contains(&account))
    }

    /// Whether the key may use that credential of an account that it may use: one in its list; without a list, any
    /// credential if the key may use all accounts, else the account's default alone.
    pub fn may_use_credential(&self, name: &str, is_default: bool) -> bool {
        match (&self.credentials, &self.accounts) {
            (Some(names), _) => names.iter().any(|each| each == name),
            (None, Some(_)) => is_default,
            (None, None) => true,
        }
    }
}
