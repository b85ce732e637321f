//! The credentials of each company, from the settings and from the database, and which of them a request uses.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, Caller, CompanyId, EachAccount, Target, Upstream, UpstreamSource};
use storage::{Credentials, LoadedCredential, StorageError};

use crate::ClientError;
use crate::look_ups::{LookUpFailure, LookUps};

/// Looks up stored credentials; in production in the table `credential`.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The company's credentials with decrypted tokens.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn load(&self, company: CompanyId) -> Result<Vec<LoadedCredential>, StorageError>;
}

#[async_trait]
impl CredentialSource for Credentials {
    async fn load(&self, company: CompanyId) -> Result<Vec<LoadedCredential>, StorageError> {
        Credentials::load(self, company).await
    }
}

/// The credentials of all companies. Cheap to clone.
#[derive(Clone, Default)]
pub struct Upstreams {
    from_settings: BTreeMap<CompanyId, Vec<HeldCredential>>,
    stored: Option<Stored>,
}

/// The stored credentials.
#[derive(Clone)]
struct Stored {
    source: Arc<dyn CredentialSource>,
    /// The error is logged by the look-up.
    look_ups: LookUps<CompanyId, Arc<[HeldCredential]>, ()>,
}

/// A credential of a company.
#[derive(Debug, Clone)]
struct HeldCredential {
    upstream: Arc<Upstream>,
    /// Whether requests for its account that name no credential use it.
    is_default: bool,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams")
            .field("from_settings", &self.from_settings)
            .finish_non_exhaustive()
    }
}

impl Upstreams {
    /// Adds a credential from the settings, as its account's default.
    #[must_use]
    pub fn with(mut self, company: CompanyId, upstream: Upstream) -> Self {
        let credential = HeldCredential {
            upstream: Arc::new(upstream),
            is_default: true,
        };
        self.from_settings.entry(company).or_default().push(credential);
        self
    }

    /// Adds the stored credentials. `ttl` is the maximum delay until a replica sees a change in the database, `limit` the
    /// deadline of a look-up.
    #[must_use]
    pub fn with_stored(self, source: Arc<dyn CredentialSource>, ttl: Duration, limit: Duration) -> Self {
        const COMPANIES: u64 = 10_000;
        let look_ups = LookUps::new(ttl, COMPANIES, limit);
        Self {
            stored: Some(Stored { source, look_ups }),
            ..self
        }
    }

    /// Forgets the company's credentials, so that a change made in this process takes effect immediately.
    pub(crate) fn forget(&self, company: CompanyId) {
        if let Some(stored) = &self.stored {
            stored.look_ups.forget(&company);
        }
    }

    /// The company's credentials from the settings.
    pub(crate) fn settings_credentials(&self, company: CompanyId) -> impl Iterator<Item = &Arc<Upstream>> {
        self.from_settings
            .get(&company)
            .into_iter()
            .flatten()
            .map(|credential| &credential.upstream)
    }

    /// The credential for a target: the named credential, else the default credential of the named account, else that
    /// of the key's default account, else that of the only account that the key may use.
    ///
    /// # Errors
    /// [`ClientError::UnknownAccount`] where the company has no such account or the key may not use it,
    /// [`ClientError::UnknownCredential`], [`ClientError::NoAccount`], [`ClientError::AmbiguousAccount`],
    /// [`ClientError::CredentialsUnavailable`].
    pub(crate) async fn resolve(&self, caller: &Caller, target: &Target) -> Result<Arc<Upstream>, ClientError> {
        let all = self.credentials_of(caller.company_id).await?;
        let mut usable = all
            .iter()
            .filter(|credential| caller.may_use(credential.upstream.account_id));
        if let Some(name) = &target.credential {
            let matches = |credential: &&HeldCredential| {
                credential.upstream.name == *name
                    && target
                        .account
                        .is_none_or(|account| account == credential.upstream.account_id)
            };
            let found = usable.find(matches).map(|credential| Arc::clone(&credential.upstream));
            return found.ok_or_else(|| ClientError::UnknownCredential(name.clone()));
        }
        let mut defaults = usable
            .filter(|credential| credential.is_default)
            .map(|credential| &credential.upstream);
        if let Some(account) = target.account.or(caller.default_account) {
            let found = defaults.find(|upstream| upstream.account_id == account);
            return found.cloned().ok_or(ClientError::UnknownAccount(account));
        }
        match (defaults.next(), defaults.next()) {
            (None, _) => Err(ClientError::NoAccount),
            (Some(only), None) => Ok(Arc::clone(only)),
            (Some(first), Some(second)) => {
                let accounts = [first, second]
                    .into_iter()
                    .chain(defaults)
                    .map(|upstream| upstream.account_id);
                Err(ClientError::AmbiguousAccount(accounts.collect()))
            }
        }
    }

    /// The default credential of each account that the key may use, ordered by account id; with a name only that
    /// credential. Empty where there is none.
    ///
    /// # Errors
    /// [`ClientError::UnknownCredential`], [`ClientError::CredentialsUnavailable`].
    pub(crate) async fn resolve_each(
        &self,
        caller: &Caller,
        credential: Option<String>,
    ) -> Result<EachAccount, ClientError> {
        if credential.is_some() {
            let target = Target {
                account: None,
                credential,
            };
            return Ok([self.resolve(caller, &target).await?].into());
        }
        let all = self.credentials_of(caller.company_id).await?;
        let usable = all
            .iter()
            .filter(|credential| credential.is_default && caller.may_use(credential.upstream.account_id));
        let mut each: Vec<_> = usable.map(|credential| Arc::clone(&credential.upstream)).collect();
        each.sort_by_key(|upstream| upstream.account_id);
        Ok(each.into())
    }

    /// The company's credentials, those from the settings first.
    async fn credentials_of(&self, company: CompanyId) -> Result<Arc<[HeldCredential]>, ClientError> {
        let from_settings = || self.from_settings.get(&company).cloned().unwrap_or_default();
        let Some(stored) = &self.stored else {
            return Ok(from_settings().into());
        };
        let source = Arc::clone(&stored.source);
        let found = stored
            .look_ups
            .get(&company, || look_up(source, company, from_settings()))
            .await;
        found.map_err(|failure| {
            if failure == LookUpFailure::Late {
                tracing::warn!("credentials were not looked up in time");
            }
            ClientError::CredentialsUnavailable
        })
    }
}

/// Adds the stored credentials to those from the settings.
async fn look_up(
    source: Arc<dyn CredentialSource>,
    company: CompanyId,
    mut credentials: Vec<HeldCredential>,
) -> Result<Arc<[HeldCredential]>, ()> {
    let stored = source.load(company).await.map_err(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "could not look up credentials"
        );
    })?;
    let in_settings: Vec<AccountId> = credentials
        .iter()
        .map(|credential| credential.upstream.account_id)
        .collect();
    credentials.extend(stored.into_iter().map(|loaded| {
        // An account has one default: settings win over stored credentials.
        let is_default = loaded.credential.is_default && !in_settings.contains(&loaded.credential.account_id);
        HeldCredential {
            upstream: Arc::new(upstream_of(loaded)),
            is_default,
        }
    }));
    Ok(credentials.into())
}

/// The destination of a stored credential.
fn upstream_of(LoadedCredential { credential, token }: LoadedCredential) -> Upstream {
    Upstream {
        source: UpstreamSource::Stored,
        name: credential.name,
        account_id: credential.account_id,
        admin_url: credential.admin_url,
        metadata_url: credential.metadata_url,
        semantic_layer_url: credential.semantic_layer_url,
        token,
    }
}
