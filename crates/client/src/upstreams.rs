//! Which credential serves which account of which company.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{AccountId, Caller, CompanyId, Upstream};

use crate::ClientError;

/// The credentials of all companies, ready for use.
#[derive(Debug, Clone, Default)]
pub struct Upstreams {
    held: BTreeMap<(CompanyId, AccountId), Arc<Upstream>>,
}

impl Upstreams {
    /// Adds a credential; it serves its account for that company.
    #[must_use]
    pub fn with(mut self, company: CompanyId, upstream: Upstream) -> Self {
        self.held.insert((company, upstream.account_id), Arc::new(upstream));
        self
    }

    /// The credential for the account that was asked for, else for the key's default account, else for the only account
    /// that the key may use.
    ///
    /// # Errors
    /// [`ClientError::UnknownAccount`] where the key's list or the company lacks the account, [`ClientError::NoAccount`],
    /// [`ClientError::AmbiguousAccount`].
    pub(crate) fn resolve(&self, caller: &Caller, asked: Option<AccountId>) -> Result<Arc<Upstream>, ClientError> {
        if let Some(account) = asked.or(caller.default_account) {
            let held = self
                .held
                .get(&(caller.company_id, account))
                .filter(|_| caller.may_use(account));
            return held.cloned().ok_or(ClientError::UnknownAccount(account));
        }
        let mut usable = self
            .held
            .range((caller.company_id, AccountId(i64::MIN))..=(caller.company_id, AccountId(i64::MAX)))
            .map(|(_, upstream)| upstream)
            .filter(|upstream| caller.may_use(upstream.account_id));
        match (usable.next(), usable.next()) {
            (None, _) => Err(ClientError::NoAccount),
            (Some(only), None) => Ok(Arc::clone(only)),
            (Some(first), Some(second)) => {
                let accounts = [first, second]
                    .into_iter()
                    .chain(usable)
                    .map(|upstream| upstream.account_id);
                Err(ClientError::AmbiguousAccount(accounts.collect()))
            }
        }
    }
}
