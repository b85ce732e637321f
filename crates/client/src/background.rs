//! What background work for a company runs with: its context and its credential.

use std::sync::Arc;

use model::{AccountId, Caller, ClientContext, CompanyId, RequestStamp, RequestType, Surface, Target, Upstream};
use provider::DbtProvider;

use crate::upstreams::Purpose;
use crate::{ClientError, Clients};

impl Clients {
    /// The credential of that name, or the account's default if it is gone. `None`: the company has none for the account at
    /// that host any more.
    ///
    /// # Errors
    /// [`ClientError`], where credentials cannot be looked up.
    pub(crate) async fn background_upstream(
        &self,
        company: CompanyId,
        host: &str,
        account: AccountId,
        credential: &str,
    ) -> Result<Option<Arc<Upstream>>, ClientError> {
        let caller = Caller::internal(company);
        let upstreams = &self.shared().upstreams;
        let target = |credential| Target {
            account: Some(account),
            credential,
        };
        let named = target(Some(credential.to_owned()));
        let found = match upstreams.resolve(&caller, &named, Purpose::Manage).await {
            Err(ClientError::UnknownCredential(_)) => upstreams.resolve(&caller, &target(None), Purpose::Manage).await,
            found => found,
        };
        match found {
            Ok(upstream) if upstream.admin_url.host_str() == Some(host) => Ok(Some(upstream)),
            Ok(_) | Err(ClientError::UnknownAccount(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The context of background work for a company, stamped now.
    pub(crate) fn background_context(
        &self,
        request_type: RequestType,
        company: CompanyId,
        to: Arc<Upstream>,
    ) -> (DbtProvider, ClientContext) {
        let stamp = RequestStamp::now(&*self.shared().clock, Surface::Internal, None);
        self.shared()
            .internal_context(stamp, request_type, Caller::internal(company), to)
    }
}
