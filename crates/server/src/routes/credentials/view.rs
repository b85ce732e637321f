//! Credentials, without their tokens.

use chrono::{DateTime, Utc};
use client::CredentialInfo;
use serde::Serialize;
use utoipa::ToSchema;

use crate::words::CredentialSource;

/// A credential: a named dbt token with its account and access URL. The token is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "second", "source": "stored", "account_id": 70_403_103_900_001_i64, "is_default": true,
    "access_url": "https://ab123.us1.dbt.com", "metadata_url": "https://ab123.metadata.us1.dbt.com/",
    "semantic_layer_url": "https://ab123.semantic-layer.us1.dbt.com/", "version": 3,
    "created_at": "2026-01-15T09:00:00Z", "updated_at": "2026-03-19T11:57:15.559970Z"
}))]
pub(crate) struct Credential {
    /// Its name within the company.
    pub(crate) name: String,
    /// `stored`, or `settings`: from the gateway's environment, not changeable here.
    #[schema(value_type = CredentialSource)]
    source: &'static str,
    account_id: i64,
    /// Whether it serves requests for its account that name no credential.
    is_default: bool,
    access_url: String,
    /// The origin of the Discovery API.
    metadata_url: String,
    /// The origin of the Semantic Layer API.
    semantic_layer_url: String,
    /// The number of its changes; null where it comes from the settings.
    version: Option<i64>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

impl From<CredentialInfo> for Credential {
    fn from(info: CredentialInfo) -> Self {
        Self {
            name: info.name,
            source: info.source.as_str(),
            account_id: info.account_id.into(),
            is_default: info.is_default,
            access_url: info.access_url,
            metadata_url: info.metadata_url,
            semantic_layer_url: info.semantic_layer_url,
            version: info.stored.as_ref().map(|stored| stored.version),
            created_at: info.stored.as_ref().map(|stored| stored.created_at),
            updated_at: info.stored.as_ref().map(|stored| stored.updated_at),
        }
    }
}

/// Whether dbt Cloud accepts a credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "verified": false, "account_name": null,
    "detail": "dbt Cloud answered 401: token unknown at this host, check the access URL. Invalid token."
}))]
pub(crate) struct Verification {
    /// Whether dbt Cloud accepts the token for the account.
    verified: bool,
    account_name: Option<String>,
    /// The reason, or what to do.
    detail: String,
}

impl From<client::Verification> for Verification {
    fn from(answer: client::Verification) -> Self {
        Self {
            verified: answer.verified,
            account_name: answer.account_name,
            detail: answer.detail,
        }
    }
}
