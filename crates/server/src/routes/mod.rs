//! The REST routes, one file a resource: extractors in, typed answer out.

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod artifacts;
pub(crate) mod credentials;
pub(crate) mod environments;
pub(crate) mod graphql;
pub(crate) mod health;
pub(crate) mod job_bodies;
pub(crate) mod job_definitions;
pub(crate) mod jobs;
pub(crate) mod list_runs;
pub(crate) mod metrics;
pub(crate) mod projects;
pub(crate) mod request_logs;
pub(crate) mod retries;
pub(crate) mod runs;
mod started;

use model::{AccountId, PageQuery, Target};
use serde::Deserialize;
use url::form_urlencoded;
use utoipa::IntoParams;

use crate::problem::{Kind, Problem};
pub(crate) use started::Started;

/// The account of a request about one thing.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountQuery {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    pub(crate) account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    pub(crate) credential: Option<String>,
}

impl AccountQuery {
    /// Where a new thing can be read: at that path, in the account and by the credential that this request named.
    pub(crate) fn location(&self, path: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(account) = self.account_id {
            query.append_pair("account_id", &account.to_string());
        }
        if let Some(credential) = &self.credential {
            query.append_pair("credential", credential);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{path}{mark}{query}")
    }
}

impl From<AccountQuery> for Target {
    fn from(query: AccountQuery) -> Self {
        Self {
            account: query.account_id,
            credential: query.credential,
        }
    }
}

/// The page of a list that a query asks for.
pub(crate) fn page_query(page: Option<u32>, page_size: Option<u32>) -> Result<PageQuery, Problem> {
    let query = PageQuery::new(page.unwrap_or(1), page_size.unwrap_or(PageQuery::DEFAULT_SIZE));
    query.ok_or_else(|| {
        let (pages, sizes) = (PageQuery::MAX_PAGE, PageQuery::MAX_SIZE);
        let detail = format!("In the query: `page` goes from 1 to {pages}, `page_size` from 1 to {sizes}.");
        Problem::new(Kind::INVALID_REQUEST, detail)
    })
}
