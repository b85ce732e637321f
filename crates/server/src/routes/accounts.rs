//! Accounts.

use model::{Account, AccountId, Target};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, Id, PagedQuery, QueryParams};
use crate::json::Json;
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_accounts))
        .routes(routes!(get_account))
}

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AccountFilter {
    /// Only the account of that credential, by name. Without it: the one in the header `X-Dbt-Credential`, else every account.
    credential: Option<String>,
}

/// The credential of an account.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CredentialQuery {
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
}

/// List the accounts that the key may use
///
/// The accounts of the company's credentials, by id; each is read from dbt Cloud with its own credential. The page is
/// whole or an error, which names the account concerned. A company without credentials has an empty list.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(PagedQuery<AccountFilter>),
    responses((status = 200, body = List<Account>)))]
async fn list_accounts(
    Dbt(client): Dbt,
    links: PageLinks,
    query: PagedQuery<AccountFilter>,
) -> Result<ListAnswer, Problem> {
    let accounts = client.list_accounts(query.filter.credential, query.page).await?;
    Ok(ListAnswer::new(accounts, &links))
}

/// Get an account
///
/// As dbt Cloud describes it, read with the credential of that account.
#[utoipa::path(get, path = "/accounts/{account_id}", tag = "accounts",
    params(Id<AccountId>, QueryParams<CredentialQuery>), responses((status = 200, body = Account)))]
async fn get_account(
    Dbt(client): Dbt,
    Id(account): Id<AccountId>,
    QueryParams(query): QueryParams<CredentialQuery>,
) -> Result<Json<Account>, Problem> {
    let target = Target {
        account: Some(account),
        credential: query.credential,
    };
    Ok(Json(client.get_account(target).await?))
}
