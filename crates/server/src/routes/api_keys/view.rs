//! Callers' keys, without their text.

use chrono::{DateTime, Utc};
use client::{ApiKeyInfo, NewKey};
use model::Role;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

/// A caller's key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 7, "name": "orders frontend", "prefix": "dgw_1f774fae", "role": "viewer",
    "accounts": [70_403_103_900_001_i64], "default_account_id": 70_403_103_900_001_i64,
    "credentials": null, "created_at": "2026-01-15T09:00:00Z", "expires_at": null, "revoked_at": null, "last_used_at": "2026-03-19T11:57:00Z"
}))]
pub(crate) struct ApiKey {
    id: i64,
    name: String,
    /// How the key begins; enough to recognise it.
    prefix: String,
    #[schema(value_type = Role)]
    role: &'static str,
    /// The accounts it may use; null: every account of the company.
    accounts: Option<Vec<i64>>,
    /// The account of a request that names none.
    default_account_id: Option<i64>,
    /// The names of the credentials it may use; null: every one, for a key with `accounts` the default of each.
    credentials: Option<Vec<String>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiKeyInfo> for ApiKey {
    fn from(info: ApiKeyInfo) -> Self {
        Self {
            id: info.id.into(),
            name: info.name,
            prefix: info.prefix,
            role: info.role.as_str(),
            accounts: info
                .accounts
                .map(|accounts| accounts.into_iter().map(Into::into).collect()),
            default_account_id: info.default_account.map(Into::into),
            credentials: info.credentials,
            created_at: info.created_at,
            expires_at: info.expires_at,
            revoked_at: info.revoked_at,
            last_used_at: info.last_used_at,
        }
    }
}

/// A key just made.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "key": "dgw_1f774fae_…", "id": 7, "name": "orders frontend", "prefix": "dgw_1f774fae", "role": "viewer",
    "accounts": null, "default_account_id": null, "credentials": null, "created_at": "2026-01-15T09:00:00Z", "expires_at": null,
    "revoked_at": null, "last_used_at": null
}))]
pub(crate) struct NewApiKey {
    /// The key. It is in this answer and nowhere else.
    key: String,
    #[serde(flatten)]
    info: ApiKey,
}

impl NewApiKey {
    pub(crate) fn of(new: &NewKey, info: ApiKeyInfo) -> Self {
        Self {
            key: new.key.expose_secret().to_owned(),
            info: info.into(),
        }
    }
}
