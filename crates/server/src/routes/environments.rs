//! Environments.

use model::{AccountId, EnvironmentFilter, EnvironmentId, PageQuery, ProjectId, StateFilter, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, DeploymentType, Id, QueryParams, Text, commas};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::routes::page_query;
use crate::views::{EnvironmentView, ListView};

/// Which environments, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListEnvironments {
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
    /// Environments of this project; several with commas between them. One project is read by version 3 of dbt Cloud's
    /// API, several and none by version 2: some fields are null in the one or the other.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_000_001_i64]))]
    project_id: Vec<ProjectId>,
    /// The exact name.
    name: Option<String>,
    /// Part of the name, in any case.
    name_contains: Option<String>,
    /// `production` or `staging`; both with a comma between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["production"]))]
    deployment_type: Vec<DeploymentType>,
    /// `development` or `deployment`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, example = "deployment")]
    environment_type: Option<EnvironmentType>,
    /// The version of dbt, as dbt Cloud spells it; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["latest"]))]
    dbt_version: Vec<Text>,
    /// Environments with these credentials for the warehouse (dbt Cloud's, none of the gateway's).
    credentials_id: Option<i64>,
    /// `active` (the default), `deleted` or `all`.
    #[param(value_type = Option<String>, example = "active")]
    state: Option<StateFilter>,
    /// A field of dbt Cloud to order by, `id` by default; `-id` for the newest first.
    #[param(example = "-id")]
    order_by: Option<String>,
}

impl ListEnvironments {
    fn split(self) -> Result<(Target, EnvironmentFilter, PageQuery), Problem> {
        let page = page_query(self.page, self.page_size)?;
        let filter = EnvironmentFilter {
            project_id: self.project_id,
            name: self.name,
            name_contains: self.name_contains,
            deployment_type: self
                .deployment_type
                .into_iter()
                .map(|DeploymentType(each)| each.to_owned())
                .collect(),
            environment_type: self.environment_type.map(|kind| kind.as_str().to_owned()),
            dbt_version: self.dbt_version.into_iter().map(|Text(each)| each).collect(),
            credentials_id: self.credentials_id,
            state: self.state,
            order_by: self.order_by,
        };
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        Ok((target, filter, page))
    }
}

/// What an environment is for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentType {
    Development,
    Deployment,
}

impl EnvironmentType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Deployment => "deployment",
        }
    }
}

/// Where an environment is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetEnvironment {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// The environment's project. With it the environment is read by version 3 of dbt Cloud's API, without it by version
    /// 2: some fields are null in the one or the other.
    #[param(value_type = Option<i64>, example = 70_403_103_000_001_i64)]
    project_id: Option<ProjectId>,
}

/// List the environments of an account or a project
///
/// Gathers as many of dbt Cloud's pages of 100 as the asked page covers. The page is whole or an error. Without a project
/// the filters `name`, `name_contains`, `type`, `deployment_type` and `credentials_id` are not dbt Cloud's: the whole list
/// is then read and compared here.
#[utoipa::path(get, path = "/environments", operation_id = "list_environments", tag = "environments",
    params(ListEnvironments),
    responses((status = 200, body = ListView<EnvironmentView>)))]
pub(crate) async fn list_environments(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListEnvironments>,
) -> Result<Json<ListView<EnvironmentView>>, Problem> {
    let (target, filter, page) = query.split()?;
    let environments = client.list_environments(target, filter, page).await?;
    Ok(Json(ListView::of(environments, &links)))
}

/// Get an environment
#[utoipa::path(get, path = "/environments/{environment_id}", operation_id = "get_environment", tag = "environments",
    params(("environment_id" = i64, Path, description = "The environment's id."), GetEnvironment),
    responses((status = 200, body = EnvironmentView)))]
pub(crate) async fn get_environment(
    Dbt(client): Dbt,
    Id(environment): Id<EnvironmentId>,
    QueryParams(query): QueryParams<GetEnvironment>,
) -> Result<Json<EnvironmentView>, Problem> {
    let target = Target {
        account: query.account_id,
        credential: query.credential,
    };
    let environment = client.get_environment(target, environment, query.project_id).await?;
    Ok(Json(environment.into()))
}
