//! Projects.

use model::{Project, ProjectFilter, ProjectId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, Id, ListQuery, ScopedQuery};
use crate::json::Json;
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_projects))
        .routes(routes!(get_project))
}

/// List the projects of an account
///
/// Reads as many of dbt Cloud's pages of 100 as the requested page covers. The page is whole or an error; a page beyond
/// `gather.hold_max_bytes` is sent as it is read, and the connection is aborted where a part of it fails.
#[utoipa::path(get, path = "/projects", tag = "projects", params(ListQuery<ProjectFilter>),
    responses((status = 200, body = List<Project>)))]
async fn list_projects(
    Dbt(client): Dbt,
    links: PageLinks,
    query: ListQuery<ProjectFilter>,
) -> Result<ListAnswer, Problem> {
    let projects = client.list_projects(query.scope, query.filter, query.page).await?;
    Ok(ListAnswer::new(projects, &links))
}

/// Get a project
///
/// A deleted one has `state` 2.
#[utoipa::path(get, path = "/projects/{project_id}", tag = "projects", params(Id<ProjectId>, ScopedQuery),
    responses((status = 200, body = Project)))]
async fn get_project(
    Dbt(client): Dbt,
    Id(project): Id<ProjectId>,
    query: ScopedQuery,
) -> Result<Json<Project>, Problem> {
    Ok(Json(client.get_project(query.scope, project).await?))
}
