//! Projects.

use dbt_api::WrappedApi;
use model::{ClientContext, PageQuery, Project, ProjectFilter, ProjectId};

use crate::engine::args;
use crate::{DbtProvider, Listing, ProviderError};

impl DbtProvider {
    /// A page of the account's projects.
    ///
    /// # Errors
    /// [`ProviderError`]: until the page begins, a missing part is an error.
    pub async fn list_projects(
        &self,
        ctx: ClientContext,
        filter: ProjectFilter,
        page: PageQuery,
    ) -> Result<Listing<Project>, ProviderError> {
        let subject = args!(filter, page);
        self.provider_list(ctx, subject, page, filter, <dyn WrappedApi>::list_projects)
            .await
    }

    /// One project.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_project(&self, ctx: ClientContext, project_id: ProjectId) -> Result<Project, ProviderError> {
        self.provider_request(ctx, args!(project_id), move |call| async move {
            call.ask(move |api, to| api.get_project(to, project_id)).await
        })
        .await
    }
}
