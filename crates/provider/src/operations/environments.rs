//! Environments.

use dbt_api::WrappedApi;
use model::{ClientContext, Environment, EnvironmentFilter, EnvironmentId, PageQuery, ProjectId};

use crate::engine::args;
use crate::{DbtProvider, Listing, ProviderError};

impl DbtProvider {
    /// A page of the environments of the one project that the filter names, else of the account.
    ///
    /// # Errors
    /// [`ProviderError`]: until the page begins, a missing part is an error.
    pub async fn list_environments(
        &self,
        ctx: ClientContext,
        filter: EnvironmentFilter,
        page: PageQuery,
    ) -> Result<Listing<Environment>, ProviderError> {
        let subject = args!(filter, page);
        self.provider_list(ctx, subject, page, filter, <dyn WrappedApi>::list_environments)
            .await
    }

    /// One environment, by API version 3 if its project is named.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_environment(
        &self,
        ctx: ClientContext,
        environment_id: EnvironmentId,
        project_id: Option<ProjectId>,
    ) -> Result<Environment, ProviderError> {
        self.provider_request(ctx, args!(environment_id, project_id), move |call| async move {
            call.ask(move |api, to| api.get_environment(to, environment_id, project_id))
                .await
        })
        .await
    }
}
