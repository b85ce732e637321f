//! Environment variables.

use model::{EnvironmentVariable, EnvironmentVariableFilter};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, ListQuery};
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_environment_variables))
}

/// List the environment variables of a project
///
/// By name, each with its value in every environment that sets it. The values of variables with `DBT_ENV_SECRET` in their
/// name are masked.
#[utoipa::path(get, path = "/environment-variables", tag = "environment variables",
    params(ListQuery<EnvironmentVariableFilter>), responses((status = 200, body = List<EnvironmentVariable>)))]
async fn list_environment_variables(
    Dbt(client): Dbt,
    links: PageLinks,
    query: ListQuery<EnvironmentVariableFilter>,
) -> Result<ListAnswer, Problem> {
    let project = query.filter.project_id;
    let variables = client
        .list_environment_variables(query.scope, project, query.page)
        .await?;
    Ok(ListAnswer::new(variables, &links))
}
