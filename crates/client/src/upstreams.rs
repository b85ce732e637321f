//! Which credential serves which account of which company: those of the settings, and those that are stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, Caller, CompanyId, EachAccount, Target, Upstream, UpstreamSource};
use moka::future::Cache;
use storage::{Credentials, LoadedCredential, StorageError};

use crate::ClientError;

/// Where stored credentials are looked up. The table `credential` is the real one.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The company's credentials, tokens opened.
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

/// The credentials of all companies, ready for use. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams {
    from_settings: BTreeMap<CompanyId, Vec<Held>>,
    stored: Option<Arc<dyn CredentialSource>>,
    recent: Cache<CompanyId, Arc<[Held]>>,
}

/// A credential that a company holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) upstream: Arc<Upstream>,
    /// Whether it serves requests for its account that name no credential.
    pub(crate) is_default: bool,
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams")
            .field("from_settings", &self.from_settings)
            .finish_non_exhaustive()
    }
}

impl Default for Upstreams {
    fn default() -> Self {
        Self {
            from_settings: BTreeMap::new(),
            stored: None,
            recent: cache(Duration::ZERO),
        }
    }
}

impl Upstreams {
    /// Adds a credential from the settings; it is its account's default.
    #[must_use]
    pub fn with(mut self, company: CompanyId, upstream: Upstream) -> Self {
        let held = Held {
            upstream: Arc::new(upstream),
            is_default: true,
        };
        self.from_settings.entry(company).or_default().push(held);
        self
    }

    /// Adds those that are stored. A change in the database is noticed within `max_age`, in every replica.
    #[must_use]
    pub fn with_stored(self, source: Arc<dyn CredentialSource>, max_age: Duration) -> Self {
        Self {
            stored: Some(source),
            recent: cache(max_age),
            ..self
        }
    }

    /// Forgets what was looked up, so that a change made here is seen at once.
    pub(crate) fn forget(&self) {
        self.recent.invalidate_all();
    }

    /// The company's credentials from the settings, which are not changeable by API.
    pub(crate) fn of_settings(&self, company: CompanyId) -> impl Iterator<Item = &Arc<Upstream>> {
        self.from_settings
            .get(&company)
            .into_iter()
            .flatten()
            .map(|held| &held.upstream)
    }

    /// The credential for what was asked for: by its name, else the default of the account that was named, else of the
    /// key's default account, else of the only account that the key may use.
    ///
    /// # Errors
    /// [`ClientError::UnknownAccount`] where the key's list or the company lacks the account,
    /// [`ClientError::UnknownCredential`], [`ClientError::NoAccount`], [`ClientError::AmbiguousAccount`],
    /// [`ClientError::CredentialsUnavailable`].
    pub(crate) async fn resolve(&self, caller: &Caller, target: &Target) -> Result<Arc<Upstream>, ClientError> {
        let all = self.held(caller.company_id).await?;
        let mut usable = all.iter().filter(|held| caller.may_use(held.upstream.account_id));
        if let Some(name) = &target.credential {
            let fits = |held: &&Held| {
                held.upstream.name == *name && target.account.is_none_or(|account| account == held.upstream.account_id)
            };
            let found = usable.find(fits).map(|held| Arc::clone(&held.upstream));
            return found.ok_or_else(|| ClientError::UnknownCredential(name.clone()));
        }
        let mut defaults = usable.filter(|held| held.is_default).map(|held| &held.upstream);
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

    /// Every account that the key may use, each by its default credential, in the order of their ids; with a name only
    /// that credential's. Empty where there is none.
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
        let all = self.held(caller.company_id).await?;
        let usable = all
            .iter()
            .filter(|held| held.is_default && caller.may_use(held.upstream.account_id));
        let mut each: Vec<_> = usable.map(|held| Arc::clone(&held.upstream)).collect();
        each.sort_by_key(|upstream| upstream.account_id);
        Ok(each.into())
    }

    /// Everything that the company holds, the settings' credentials first.
    async fn held(&self, company: CompanyId) -> Result<Arc<[Held]>, ClientError> {
        let look_up = async {
            let mut held = self.from_settings.get(&company).cloned().unwrap_or_default();
            if let Some(source) = &self.stored {
                let operators: Vec<AccountId> = held.iter().map(|held| held.upstream.account_id).collect();
                let stored = source.load(company).await?;
                held.extend(stored.into_iter().map(|credential| {
                    // One default an account: the operator's word counts more.
                    let is_default =
                        credential.credential.is_default && !operators.contains(&credential.credential.account_id);
                    Held {
                        upstream: Arc::new(upstream_of(credential)),
                        is_default,
                    }
                }));
            }
            Ok::<Arc<[Held]>, StorageError>(held.into())
        };
        self.recent.try_get_with(company, look_up).await.map_err(|error| {
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "credentials cannot be looked up"
            );
            ClientError::CredentialsUnavailable
        })
    }
}

/// A stored credential, ready for use.
pub(crate) fn upstream_of(LoadedCredential { credential, token }: LoadedCredential) -> Upstream {
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

fn cache(max_age: Duration) -> Cache<CompanyId, Arc<[Held]>> {
    const COMPANIES: u64 = 10_000;
    Cache::builder().max_capacity(COMPANIES).time_to_live(max_age).build()
}
