//! Which account, and with which credential: what a caller may say about where its request goes.

use crate::AccountId;

/// What the caller named; nothing of it is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The dbt Cloud account; `None`: the key's default, else the only one.
    pub account: Option<AccountId>,
    /// The credential, by name; `None`: the account's default.
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
