//! Projects.

use model::{AccountId, PageQuery, ProjectFilter, StateFilter, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Id, QueryParams};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::routes::{AccountQuery, page_query};
use crate::views::{ListView, ProjectView};

/// Which projects, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListProjects {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// The page, from 1.
    #[param(minimum = 1, maximum = 400_000, default = 1)]
    page: Option<u32>,
    /// Entries a page.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    page_size: Option<u32>,
    /// The exact name.
    name: Option<String>,
    /// Part of the name, in any case.
    name_contains: Option<String>,
    /// `active` (the default), `deleted` or `all`.
    #[param(value_type = Option<String>)]
    state: Option<StateFilter>,
    /// A field of dbt Cloud to order by, `id` by default; `-id` for the newest first.
    #[param(example = "-id")]
    order_by: Option<String>,
}

impl ListProjects {
    fn split(self) -> Result<(Target, ProjectFilter, PageQuery), Problem> {
        let page = page_query(self.page, self.page_size)?;
        let filter = ProjectFilter {
            name: self.name,
            name_contains: self.name_contains,
            state: self.state,
            order_by: self.order_by,
        };
        Ok((
            Target {
                account: self.account_id,
                credential: self.credential,
            },
            filter,
            page,
        ))
    }
}

/// List the projects of an account
///
/// Gathers as many of dbt Cloud's pages of 100 as the asked page covers. The page is whole or an error.
#[utoipa::path(get, path = "/projects", operation_id = "list_projects", tag = "projects", params(ListProjects),
    responses((status = 200, body = ListView<ProjectView>)))]
pub(crate) async fn list_projects(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListProjects>,
) -> Result<Json<ListView<ProjectView>>, Problem> {
    let (target, filter, page) = query.split()?;
    let projects = client.list_projects(target, filter, page).await?;
    Ok(Json(ListView::of(projects, &links)))
}

/// Get a project
#[utoipa::path(get, path = "/projects/{project_id}", operation_id = "get_project", tag = "projects",
    params(("project_id" = i64, Path, description = "The project's id."), AccountQuery),
    responses((status = 200, body = ProjectView)))]
pub(crate) async fn get_project(
    Dbt(client): Dbt,
    Id(project): Id<model::ProjectId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Json<ProjectView>, Problem> {
    Ok(Json(client.get_project(account, project).await?.into()))
}
