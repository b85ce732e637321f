//! The one gate: nothing reaches dbt Cloud, and no record of ours is shown or changed, that it has not admitted.

use model::{AccountId, Caller, ClientContext, CompanyId, EachAccount, Effect, RequestStamp, RequestType, Target};
use provider::DbtProvider;
use tracing::Span;

use crate::clients::Shared;
use crate::{ClientError, DbtClient};

/// The company that comes with the migrations: that of whoever runs the gateway.
const OPERATING: CompanyId = CompanyId(1);

impl DbtClient {
    /// Admits a request to dbt Cloud, or refuses it and writes a row that says so. Read-only mode first, then the role,
    /// whether it makes a dbt token, the key's account list, and whether the company holds the account.
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
        let account = target.account.or(self.caller.default_account);
        self.pass(request_type, account, admitted).await
    }

    /// As [`Self::admit`], for a request that goes to every account that the key may use, or to that of the credential
    /// that the caller named.
    ///
    /// # Errors
    /// As [`Self::admit`]; no account at all is no error.
    pub(crate) async fn admit_each(
        self,
        request_type: RequestType,
        credential: Option<String>,
    ) -> Result<(DbtProvider, ClientContext<EachAccount>), ClientError> {
        let credential = credential.or_else(|| self.credential.clone());
        let admitted = match self.allowed(request_type) {
            Ok(()) => self.shared.upstreams.resolve_each(&self.caller, credential).await,
            Err(refusal) => Err(refusal),
        };
        self.pass(request_type, None, admitted).await
    }

    /// Makes the context of an admitted request, or writes down the refusal. `account` is what a refusal was about.
    async fn pass<To>(
        self,
        request_type: RequestType,
        account: Option<AccountId>,
        admitted: Result<To, ClientError>,
    ) -> Result<(DbtProvider, ClientContext<To>), ClientError> {
        let Self {
            caller, stamp, shared, ..
        } = self;
        match admitted {
            #[expect(clippy::disallowed_methods, reason = "this is the gate")]
            Ok(to) => {
                let ctx = ClientContext::admitted(stamp, request_type, caller, to);
                Ok((shared.provider.clone(), ctx))
            }
            Err(refusal) => Err(logged(&shared, &stamp, request_type, &caller, account, refusal).await),
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

    /// Admits a request about the whole process, which the admins of company 1 run.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) async fn admit_operator(&self, request_type: RequestType) -> Result<(), ClientError> {
        let refusal = match self.allowed(request_type) {
            Err(refusal) => refusal,
            Ok(()) if self.caller.company_id != OPERATING => ClientError::OtherCompany,
            Ok(()) => return Ok(()),
        };
        Err(logged(&self.shared, &self.stamp, request_type, &self.caller, None, refusal).await)
    }

    fn allowed(&self, request_type: RequestType) -> Result<(), ClientError> {
        // The edge opened the span before anybody knew who asks for what.
        Span::current()
            .record("request.type", request_type.as_str())
            .record("company.id", self.caller.company_id.0);
        let (needs, has) = (request_type.needs(), self.caller.role);
        if self.shared.settings.read_only && request_type.effect() == Effect::Change {
            Err(ClientError::ReadOnly)
        } else if has < needs {
            Err(ClientError::RoleTooLow { needs, has })
        } else if request_type.mints_token() && !self.shared.settings.allow_token_minting {
            Err(ClientError::MintsToken)
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
