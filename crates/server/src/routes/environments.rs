//! Environments.

use model::{Environment, EnvironmentFilter, EnvironmentId, ProjectId};
use serde::Deserialize;
use utoipa::IntoParams;
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
        .routes(routes!(list_environments))
        .routes(routes!(get_environment))
}

/// List the environments of an account or a project
///
/// Reads as many of dbt Cloud's pages of 100 as the requested page covers. The page is whole or an error; a page beyond
/// `gather.hold_max_bytes` is sent as it is read, and the connection is aborted where a part of it fails. Without a
/// project dbt Cloud does not support the filters `name`, `name_contains`, `type`, `deployment_type` and `credentials_id`:
/// the gateway then reads the whole list and filters it.
#[utoipa::path(get, path = "/environments", tag = "environments", params(ListQuery<EnvironmentFilter>),
    responses((status = 200, body = List<Environment>)))]
async fn list_environments(
    Dbt(client): Dbt,
    links: PageLinks,
    query: ListQuery<EnvironmentFilter>,
) -> Result<ListAnswer, Problem> {
    let environments = client.list_environments(query.scope, query.filter, query.page).await?;
    Ok(ListAnswer::new(environments, &links))
}

/// The project of an environment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfProject {
    /// The environment's project. With it the environment is read by version 3 of dbt Cloud's API, without it by version
    /// 2: some fields are null in the one or the other.
    #[param(value_type = Option<i64>, example = 70_403_103_920_001_i64)]
    project_id: Option<ProjectId>,
}

/// Get an environment
///
/// Give its project too, if you know it: version 3 of dbt Cloud's API has more fields.
#[utoipa::path(get, path = "/environments/{environment_id}", tag = "environments",
    params(Id<EnvironmentId>, ScopedQuery<OfProject>), responses((status = 200, body = Environment)))]
async fn get_environment(
    Dbt(client): Dbt,
    Id(environment): Id<EnvironmentId>,
    query: ScopedQuery<OfProject>,
) -> Result<Json<Environment>, Problem> {
    let project = query.filter.project_id;
    Ok(Json(client.get_environment(query.scope, environment, project).await?))
}
