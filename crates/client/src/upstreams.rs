//! The credentials of each company, from the settings and from the database, and which of them a request uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use model::{AccountId, Caller, CompanyId, EachAccount, Target, Upstream, UpstreamSource};
use secrecy::SecretString;
use storage::{Credentials, LoadedCredential, StorageError, UnreadableCredential};

use crate::ClientError;
use crate::look_ups::{LookUpFailure, LookUps};

/// Looks up stored credentials; in production in the table `credential`.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The company's credentials with decrypted tokens. One that cannot be read does not fail the others.
    ///
    /// # Errors
    /// [`StorageError`].
    async fn load(&self, company: CompanyId) -> Result<Vec<LoadResult>, StorageError>;
}

/// A stored credential, or why it cannot be used.
pub type LoadResult = Result<LoadedCredential, UnreadableCredential>;

#[async_trait]
impl CredentialSource for Credentials {
    async fn load(&self, company: CompanyId) -> Result<Vec<LoadResult>, StorageError> {
        Credentials::load(self, company).await
    }
}

/// The credentials of all companies. Cheap to clone.
#[derive(Clone, Default)]
pub struct Upstreams {
    from_settings: Arc<RwLock<BySettings>>,
    stored: Option<Stored>,
}

/// The credentials from the settings.
type BySettings = BTreeMap<CompanyId, Vec<Arc<Upstream>>>;

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
    name: String,
    account_id: AccountId,
    /// Whether requests for its account that name no credential use it.
    is_default: bool,
    /// Or why it cannot be used.
    upstream: Result<Arc<Upstream>, Arc<str>>,
}

impl HeldCredential {
    fn from_settings(upstream: &Arc<Upstream>) -> Self {
        Self {
            name: upstream.name.clone(),
            account_id: upstream.account_id,
            is_default: true,
            upstream: Ok(Arc::clone(upstream)),
        }
    }

    fn upstream(&self) -> Result<Arc<Upstream>, ClientError> {
        self.upstream
            .clone()
            .map_err(|reason| ClientError::UnreadableCredential {
                credential: self.name.clone(),
                account: self.account_id,
                reason,
            })
    }
}

/// Which credentials of its accounts a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Those that the key may use.
    Use,
    /// All: it is about the credential itself.
    Manage,
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
    pub fn with(self, company: CompanyId, upstream: Upstream) -> Self {
        self.change_settings(|all| all.entry(company).or_default().push(Arc::new(upstream)));
        self
    }

    /// Replaces the token of the company's credentials from the settings. Requests in progress continue with the previous
    /// one.
    pub fn replace_token(&self, company: CompanyId, token: &SecretString) {
        self.change_settings(|all| {
            for upstream in all.get_mut(&company).into_iter().flatten() {
                let mut changed = Upstream::clone(upstream);
                changed.token = token.clone();
                *upstream = Arc::new(changed);
            }
        });
        self.forget(company);
    }

    fn change_settings(&self, change: impl FnOnce(&mut BySettings)) {
        change(&mut self.from_settings.write().unwrap_or_else(PoisonError::into_inner));
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
    pub(crate) fn settings_credentials(&self, company: CompanyId) -> Vec<Arc<Upstream>> {
        let all = self.from_settings.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&company).cloned().unwrap_or_default()
    }

    /// The credential for a target: the named credential, else that of the named account, else that of the key's default
    /// account, else that of the only account that the key may use. An account's credential is its default; if the key may
    /// not use that, the only one that it may use.
    ///
    /// # Errors
    /// [`ClientError::UnknownAccount`] where the company has no such account or the key may not use it,
    /// [`ClientError::UnknownCredential`], [`ClientError::NoAccount`], [`ClientError::AmbiguousAccount`],
    /// [`ClientError::AmbiguousCredential`], [`ClientError::UnreadableCredential`],
    /// [`ClientError::CredentialsUnavailable`].
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        target: &Target,
        purpose: Purpose,
    ) -> Result<Arc<Upstream>, ClientError> {
        let all = self.credentials_of(caller.company_id).await?;
        let usable = usable(&all, caller, purpose);
        if let Some(name) = &target.credential {
            let is_named = |credential: &&&HeldCredential| {
                credential.name == *name && target.account.is_none_or(|account| account == credential.account_id)
            };
            let found = usable.iter().find(is_named);
            return found
                .ok_or_else(|| ClientError::UnknownCredential(name.clone()))?
                .upstream();
        }
        if let Some(account) = target.account.or(caller.default_account) {
            return of_account(&usable, account)?.upstream();
        }
        let accounts: BTreeSet<_> = usable.iter().map(|credential| credential.account_id).collect();
        match (accounts.first(), accounts.len()) {
            (None, _) => Err(ClientError::NoAccount),
            (Some(only), 1) => of_account(&usable, *only)?.upstream(),
            _ => Err(ClientError::AmbiguousAccount(accounts.into_iter().collect())),
        }
    }

    /// The credential of each account that the key may use, as in [`Self::resolve`], ordered by account id; with a name only
    /// that credential. Empty where there is none.
    ///
    /// # Errors
    /// [`ClientError::UnknownCredential`], [`ClientError::AmbiguousCredential`], [`ClientError::UnreadableCredential`],
    /// [`ClientError::CredentialsUnavailable`].
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
            return Ok([self.resolve(caller, &target, Purpose::Use).await?].into());
        }
        let all = self.credentials_of(caller.company_id).await?;
        let usable = usable(&all, caller, Purpose::Use);
        let accounts: BTreeSet<_> = usable.iter().map(|credential| credential.account_id).collect();
        accounts
            .into_iter()
            .map(|account| of_account(&usable, account)?.upstream())
            .collect()
    }

    /// The first of these names that is no credential that the key may use.
    ///
    /// # Errors
    /// [`ClientError::CredentialsUnavailable`].
    pub(crate) async fn not_usable<'n>(
        &self,
        caller: &Caller,
        names: &'n [String],
    ) -> Result<Option<&'n String>, ClientError> {
        let all = self.credentials_of(caller.company_id).await?;
        let usable = usable(&all, caller, Purpose::Use);
        let is_usable = |name: &&String| usable.iter().any(|credential| credential.name == **name);
        Ok(names.iter().find(|name| !is_usable(name)))
    }

    /// The company's credentials, those from the settings first.
    async fn credentials_of(&self, company: CompanyId) -> Result<Arc<[HeldCredential]>, ClientError> {
        let from_settings = || {
            let all = self.settings_credentials(company);
            all.iter().map(HeldCredential::from_settings).collect::<Vec<_>>()
        };
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
    let in_settings: Vec<AccountId> = credentials.iter().map(|credential| credential.account_id).collect();
    // An account has one default: settings win over stored credentials.
    let is_default = |is_default: bool, account: AccountId| is_default && !in_settings.contains(&account);
    let stored = stored.into_iter().map(|loaded| match loaded {
        Ok(loaded) => HeldCredential {
            name: loaded.credential.name.clone(),
            account_id: loaded.credential.account_id,
            is_default: is_default(loaded.credential.is_default, loaded.credential.account_id),
            upstream: Ok(Arc::new(upstream_of(loaded))),
        },
        Err(unreadable) => HeldCredential {
            name: unreadable.name,
            account_id: unreadable.account_id,
            is_default: is_default(unreadable.is_default, unreadable.account_id),
            upstream: Err(unreadable.reason.into()),
        },
    });
    let stored: Vec<_> = stored.collect();
    credentials.extend(stored);
    Ok(credentials.into())
}

/// The credentials that the key may use, all of the company's for [`Purpose::Manage`] in its accounts.
fn usable<'c>(all: &'c [HeldCredential], caller: &Caller, purpose: Purpose) -> Vec<&'c HeldCredential> {
    let may_use = |credential: &&HeldCredential| {
        caller.may_use(credential.account_id)
            && (purpose == Purpose::Manage || caller.may_use_credential(&credential.name, credential.is_default))
    };
    all.iter().filter(may_use).collect()
}

/// The account's default among the usable credentials, else its only one.
fn of_account<'c>(usable: &[&'c HeldCredential], account: AccountId) -> Result<&'c HeldCredential, ClientError> {
    let of_account = || {
        usable
            .iter()
            .copied()
            .filter(|credential| credential.account_id == account)
    };
    if let Some(default) = of_account().find(|credential| credential.is_default) {
        return Ok(default);
    }
    let mut others = of_account();
    match (others.next(), others.next()) {
        (None, _) => Err(ClientError::UnknownAccount(account)),
        (Some(only), None) => Ok(only),
        _ => Err(ClientError::AmbiguousCredential {
            account,
            names: of_account().map(|credential| credential.name.clone()).collect(),
        }),
    }
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
