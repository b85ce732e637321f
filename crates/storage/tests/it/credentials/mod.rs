//! Credentials: storing, changing, defaults, the log, encryption and rotation.

mod audit;
mod changing;
mod concurrency;
mod creating;
mod defaults;
mod encryption;
mod rotation;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{AccountId, CompanyId, FixedClock, RequestStamp, Surface};
use secrecy::ExposeSecret as _;
use storage::{Companies, Credential, CredentialChange, Credentials, KeyRing, NewCredential};
use url::Url;

use crate::support::{Db, noon};

pub(crate) const COMPANY: CompanyId = CompanyId(1);
pub(crate) const ACCOUNT: AccountId = AccountId(70_403_103_932_111);
pub(crate) const OTHER_ACCOUNT: AccountId = AccountId(20);
pub(crate) const TOKEN: &str = "dbtc_vErY-sEcReT-tOkEn";

/// A ring in which a key is derived from its id.
pub(crate) fn ring(ids: &[&str]) -> Arc<KeyRing> {
    let key = |id: &&str| {
        let mut bytes = [7; 32];
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        format!("{id}:{}", STANDARD.encode(bytes))
    };
    let text = ids.iter().map(key).collect::<Vec<_>>().join(",");
    Arc::new(KeyRing::parse(&text).unwrap())
}

/// Credentials with the encryption key `k1`.
pub(crate) fn credentials(db: &Db) -> Credentials {
    with_keys(db, &["k1"])
}

pub(crate) fn with_keys(db: &Db, ids: &[&str]) -> Credentials {
    Credentials::new(&db.database, Some(ring(ids)))
}

pub(crate) fn stamp() -> RequestStamp {
    RequestStamp::now(&FixedClock::at(noon()), Surface::Rest, None)
}

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub(crate) fn new(name: &str, account_id: AccountId) -> NewCredential {
    NewCredential {
        name: name.to_owned(),
        account_id,
        admin_url: url("https://ab123.us1.dbt.com/api"),
        metadata_url: url("https://ab123.metadata.us1.dbt.com"),
        semantic_layer_url: url("https://ab123.semantic-layer.us1.dbt.com"),
        token: format!("{TOKEN}-{name}").into(),
        is_default: None,
        idempotency_key: None,
    }
}

/// Stores a credential of company 1.
pub(crate) async fn create(credentials: &Credentials, name: &str, account: AccountId) -> Credential {
    let made = credentials.create(COMPANY, &stamp(), None, new(name, account)).await;
    made.unwrap()
}

/// Changes an existing credential of company 1.
pub(crate) async fn update(credentials: &Credentials, name: &str, change: CredentialChange) -> Credential {
    let changed = credentials.update(COMPANY, &stamp(), None, name, change).await;
    changed.unwrap().expect("a credential of that name")
}

pub(crate) async fn another_company(db: &Db) -> CompanyId {
    Companies::new(&db.database).create(&stamp(), "acme").await.unwrap()
}

/// Name and token of each credential.
pub(crate) async fn tokens(credentials: &Credentials, company: CompanyId) -> Vec<(String, String)> {
    let loaded = credentials.load(company).await.unwrap().into_iter().map(Result::unwrap);
    let pair = |one: storage::LoadedCredential| (one.credential.name, one.token.expose_secret().to_owned());
    loaded.into_iter().map(pair).collect()
}

/// The names of the account's defaults in company 1.
pub(crate) async fn defaults(credentials: &Credentials, account: AccountId) -> Vec<String> {
    let all = credentials.list(COMPANY).await.unwrap();
    let defaults = all
        .into_iter()
        .filter(|one| one.account_id == account && one.is_default);
    defaults.map(|one| one.name).collect()
}
