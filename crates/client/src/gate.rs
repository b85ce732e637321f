//! The one gate: nothing reaches dbt Cloud, and no record of ours is shown or changed, that it has not admitted.

use model::{AccountId, Caller, ClientContext, Effect, RequestStamp, RequestType, Target};
use provider::DbtProvider;

use crate::clients::Shared;
use crate::{ClientError, DbtClient};

impl DbtClient {
    /// Admits a request to dbt Cloud, or refuses it and writes a row that says so. Read-only mode first, then the role,
    /// the key's account list, and whether the company holds the account.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Provider`] where the refusal could not be logged.
    pub(crate) async fn admit(
        self,
        request_type: RequestType,
        target: impl Into<Target>,
    ) -> Result<(DbtProvider, ClientContext), ClientError> {
        let mut target = target.into();
        target.credential = target.credential.or_else(|| self.credential.clone());
        let admitted = match self.allowed(request_type) {
            Ok(()) => self.shared.upstreams.resolve(&self.caller, &target).await,
            Err(refusal) => Err(refusal),
        };
        let Self {
            caller, stamp, shared, ..
        } = self;
        match admitted {
            #[expect(clippy::disallowed_methods, reason = "this is the gate")]
            Ok(upstream) => {
                let ctx = ClientContext::admitted(stamp, request_type, caller, upstream);
                Ok((shared.provider.clone(), ctx))
            }
            Err(refusal) => {
                let account = target.account.or(caller.default_account);
                Err(logged(&shared, &stamp, request_type, &caller, account, refusal).await)
            }
        }
    }

    /// Admits a request for the gateway's own records. `about` is the account it concerns, which the key's list must
    /// hold.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) async fn admit_own(
        &self,
        request_type: RequestType,
        about: Option<AccountId>,
    ) -> Result<(), ClientError> {
        let refusal = match (self.allowed(request_type), about) {
            (Err(refusal), _) => refusal,
            (Ok(()), Some(account)) if !self.caller.may_use(account) => ClientError::UnknownAccount(account),
            (Ok(()), _) => return Ok(()),
        };
        Err(logged(&self.shared, &self.stamp, request_type, &self.caller, about, refusal).await)
    }

    fn allowed(&self, request_type: RequestType) -> Result<(), ClientError> {
        let (needs, has) = (request_type.needs(), self.caller.role);
        if self.shared.settings.read_only && request_type.effect() == Effect::Change {
            Err(ClientError::ReadOnly)
        } else if has < needs {
            Err(ClientError::RoleTooLow { needs, has })
        } else {
            Ok(())
        }
    }
}

/// Writes the refusal's row. What the caller is told: the refusal, or that it could not be logged.
async fn logged(
    shared: &Shared,
    stamp: &RequestStamp,
    request_type: RequestType,
    caller: &Caller,
    account: Option<AccountId>,
    refusal: ClientError,
) -> ClientError {
    let reason = refusal.to_string();
    match shared
        .provider
        .log_refusal(stamp, request_type, caller, account, &reason)
        .await
    {
        Ok(()) => refusal,
        Err(error) => error.into(),
    }
}
