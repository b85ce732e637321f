//! Environments.

use model::{ClientContext, Environment, EnvironmentFilter, EnvironmentId, Page, PageQuery, ProjectId, RequestType};

use crate::exchanges::Why;
use crate::gather::gather;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// The page of the environments that was asked for, gathered from dbt's pages of 100: of the one project that the
    /// filter names, else of the account.
    ///
    /// Filters that dbt Cloud does not have are compared here, over the whole list that the others leave.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_environments(
        &self,
        ctx: ClientContext,
        filter: EnvironmentFilter,
        page: PageQuery,
    ) -> Result<Page<Environment>, ProviderError> {
        let asked = Asked {
            args: args!(filter, page),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let filter = &filter;
            let fetch = |slice, why| {
                call.exchange(RequestType::ListEnvironments, why, move |api, to| {
                    api.list_environments(to, filter, slice)
                })
            };
            let id = |environment: &Environment| environment.id;
            let left = filter.unsupported();
            let matches = left.map(|left| move |environment: &Environment| left.matches(environment));
            Ok(gather(page, call.gather_concurrency, id, matches, fetch).await?)
        })
        .await
    }

    /// One environment; by version 3 where its project is named.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_environment(
        &self,
        ctx: ClientContext,
        environment_id: EnvironmentId,
        project_id: Option<ProjectId>,
    ) -> Result<Environment, ProviderError> {
        let asked = Asked {
            args: args!(environment_id, project_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::GetEnvironment, Why::Asked, move |api, to| {
                    api.get_environment(to, environment_id, project_id)
                })
                .await?)
        })
        .await
    }
}
