//! The gate: admits or refuses every request to dbt Cloud or for the gateway's own records.

use std::sync::Arc;

use model::{
    AccountId, Caller, ClientContext, CompanyId, EachAccount, Effect, RequestStamp, RequestType, Target, Upstream,
};
use provider::DbtProvider;
use tracing::Span;

use crate::shared::Shared;
use crate::upstreams::Purpose;
use crate::{ClientError, DbtClient};

/// The company of the gateway's operator, created by the migrations.
const OPERATOR_COMPANY: CompanyId = CompanyId(1);

impl DbtClient {
    /// Admits a request to dbt Cloud, or refuses it and logs the refusal. Checks read-only mode, the role, whether the
    /// request creates a dbt token, then the key's account list and the company's accounts.
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
        let purpose = match request_type {
            RequestType::VerifyCredential => Purpose::Manage,
            _ => Purpose::Use,
        };
        let admitted = match self.check_allowed(request_type) {
            Ok(()) => self.shared.upstreams.resolve(&self.caller, &target, purpose).await,
            Err(refusal) => Err(refusal),
        };
        let account = target.account.or(self.caller.default_account);
        self.context_or_refusal(request_type, account, admitted).await
    }

    /// As [`Self::admit`], for a request to every account that the key may use, or to the account of the named
    /// credential.
    ///
    /// # Errors
    /// As [`Self::admit`], except that having no account is no error.
    pub(crate) async fn admit_each(
        self,
        request_type: RequestType,
        credential: Option<String>,
    ) -> Result<(DbtProvider, ClientContext<EachAccount>), ClientError> {
        let credential = credential.or_else(|| self.credential.clone());
        let admitted = match self.check_allowed(request_type) {
            Ok(()) => self.shared.upstreams.resolve_each(&self.caller, credential).await,
            Err(refusal) => Err(refusal),
        };
        self.context_or_refusal(request_type, None, admitted).await
    }

    /// Creates the context of an admitted request, or logs the refusal with `account`.
    async fn context_or_refusal<To>(
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
            Err(refusal) => Err(log_refusal(&shared, &stamp, request_type, &caller, account, refusal).await),
        }
    }

    /// Admits a request for the gateway's own records. The key must be allowed to use `account`. The request then waits for
    /// its share of the connections to Postgres, which it holds to its end.
    ///
    /// # Errors
    /// As [`Self::admit`]; [`ClientError::ShareExhausted`].
    pub(crate) async fn admit_local(
        &self,
        request_type: RequestType,
        account: Option<AccountId>,
    ) -> Result<(), ClientError> {
        let refusal = match (self.check_allowed(request_type), account) {
            (Err(refusal), _) => refusal,
            (Ok(()), Some(id)) if !self.caller.may_use(id) => ClientError::UnknownAccount(id),
            (Ok(()), _) => return self.take_connection(request_type).await,
        };
        Err(log_refusal(&self.shared, &self.stamp, request_type, &self.caller, account, refusal).await)
    }

    async fn take_connection(&self, request_type: RequestType) -> Result<(), ClientError> {
        let shares = &self.shared.shares;
        let share = shares.of(request_type).take(&self.owner(), 1, shares.wait).await?;
        // A request is admitted once.
        let _ = self.connection.set(share);
        Ok(())
    }

    /// Admits a request about the whole process, for admins of company 1 only.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub(crate) async fn admit_operator(&self, request_type: RequestType) -> Result<(), ClientError> {
        let refusal = match self.check_allowed(request_type) {
            Err(refusal) => refusal,
            Ok(()) if self.caller.company_id != OPERATOR_COMPANY => ClientError::OtherCompany,
            Ok(()) => return Ok(()),
        };
        Err(log_refusal(&self.shared, &self.stamp, request_type, &self.caller, None, refusal).await)
    }

    fn check_allowed(&self, request_type: RequestType) -> Result<(), ClientError> {
        // Unknown when the span was opened.
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

impl Shared {
    /// The context of background work, and of work beside an admitted request, whose caller is not checked.
    pub(crate) fn internal_context(
        &self,
        stamp: RequestStamp,
        request_type: RequestType,
        caller: Caller,
        to: Arc<Upstream>,
    ) -> (DbtProvider, ClientContext) {
        #[expect(clippy::disallowed_methods, reason = "this is the gate")]
        let ctx = ClientContext::admitted(stamp, request_type, caller, to);
        (self.provider.clone(), ctx)
    }
}

/// Logs the refusal. Returns it, or the error that it could not be logged.
async fn log_refusal(
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
