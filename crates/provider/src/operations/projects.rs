//! Projects.

use dbt_api::WrappedApi;
use model::{ClientContext, Page, PageQuery, Project, ProjectFilter, ProjectId};

use crate::engine::args;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// A page of the account's projects.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_projects(
        &self,
        ctx: ClientContext,
        filter: ProjectFilter,
        page: PageQuery,
    ) -> Result<Page<Project>, ProviderError> {
        self.provider_request(ctx, args!(filter, page), move |call| async move {
            call.gather(page, &filter, <dyn WrappedApi>::list_projects).await
        })
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
