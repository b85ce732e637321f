//! Where a request goes at dbt Cloud, and with which token.

use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::{AccountId, ClientType};

/// Where a credential comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamSource {
    /// Settings or environment: the operator's word, in memory only, not changeable by API.
    Settings,
    /// The database: it came in through the API.
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

/// A credential ready for use: a dbt token with its account and the three base addresses. `Debug` prints no secret.
#[derive(Clone)]
pub struct Upstream {
    /// Where the credential comes from.
    pub source: UpstreamSource,
    /// The credential's name within its company.
    pub name: String,
    /// The account that the token is for.
    pub account_id: AccountId,
    /// Everything before `/v2/…` of the Administrative API, for example `https://cloud.getdbt.com/api`.
    pub admin_url: Url,
    /// The origin of the Discovery API.
    pub metadata_url: Url,
    /// The origin of the Semantic Layer API.
    pub semantic_layer_url: Url,
    /// dbt Cloud's token.
    pub token: SecretString,
}

impl Upstream {
    /// Where that API of the account is.
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
