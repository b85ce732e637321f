//! An account at dbt Cloud: its base URLs and a token.

use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::{AccountId, ClientType};

/// The origin of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamSource {
    /// Settings or environment; in memory only, not changeable through the API.
    Settings,
    /// The database; created through the API.
    Stored,
}

impl UpstreamSource {
    /// The spelling of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Stored => "stored",
        }
    }
}

/// A decrypted credential: a dbt token with its account and the three base URLs. `Debug` does not print the token.
#[derive(Clone)]
pub struct Upstream {
    /// The origin of the credential.
    pub source: UpstreamSource,
    /// The credential's name within its company.
    pub name: String,
    /// The account that the token is for.
    pub account_id: AccountId,
    /// The base URL of the Administrative API, before `/v2/…`, for example `https://cloud.getdbt.com/api`.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// dbt Cloud's token.
    pub token: SecretString,
}

impl Upstream {
    /// The base URL of that API.
    pub fn base_url(&self, api: ClientType) -> &Url {
        match api {
            ClientType::DbtCloudAdministrative => &self.admin_url,
            ClientType::DbtCloudMetadata => &self.metadata_url,
            ClientType::DbtCloudSemanticLayer => &self.semantic_layer_url,
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}
