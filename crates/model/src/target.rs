//! Account and credential, as a caller names them.

use crate::AccountId;

/// The account and credential that the caller named, not checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The dbt Cloud account; `None` means the key's default, else the only one.
    pub account: Option<AccountId>,
    /// The name of the credential; `None` means the account's default.
    pub credential: Option<String>,
}

impl From<Option<AccountId>> for Target {
    fn from(account: Option<AccountId>) -> Self {
        Self {
            account,
            credential: None,
        }
    }
}
