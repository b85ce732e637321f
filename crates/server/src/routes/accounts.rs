//! Accounts.

use model::{AccountId, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Id, QueryParams};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::routes::page_query;
use crate::views::{AccountView, ListView};

/// Which page of the accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAccounts {
    /// Only the account of that credential, by name. Without it: the one in the header `X-Dbt-Credential`, else every account.
    credential: Option<String>,
    /// The page, from 1.
    #[param(minimum = 1, maximum = 400_000, default = 1)]
    page: Option<u32>,
    /// Entries a page.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    page_size: Option<u32>,
}

/// With which credential.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CredentialQuery {
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
}

/// List the accounts that the key may use
///
/// Those of the company's credentials, by id; each is read from dbt Cloud with its own credential. The page is whole or
/// an error, which names the account that it is about. A company without credentials has an empty list.
#[utoipa::path(get, path = "/accounts", operation_id = "list_accounts", tag = "accounts", params(ListAccounts),
    responses((status = 200, body = ListView<AccountView>)))]
pub(crate) async fn list_accounts(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListAccounts>,
) -> Result<Json<ListView<AccountView>>, Problem> {
    let page = page_query(query.page, query.page_size)?;
    let accounts = client.list_accounts(query.credential, page).await?;
    Ok(Json(ListView::of(accounts, &links)))
}

/// Get an account
#[utoipa::path(get, path = "/accounts/{account_id}", operation_id = "get_account", tag = "accounts",
    params(("account_id" = i64, Path, description = "The account's id."), CredentialQuery),
    responses((status = 200, body = AccountView)))]
pub(crate) async fn get_account(
    Dbt(client): Dbt,
    Id(account): Id<AccountId>,
    QueryParams(query): QueryParams<CredentialQuery>,
) -> Result<Json<AccountView>, Problem> {
    let target = Target {
        account: Some(account),
        credential: query.credential,
    };
    Ok(Json(client.get_account(target).await?.into()))
}
