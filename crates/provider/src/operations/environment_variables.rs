//! Environment variables.

use model::{ClientContext, EnvironmentVariable, Page, PageQuery, ProjectId};

use crate::engine::args;
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// A page of a project's environment variables, by name. dbt Cloud sends all in one answer.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn list_environment_variables(
        &self,
        ctx: ClientContext,
        project_id: ProjectId,
        page: PageQuery,
    ) -> Result<Page<EnvironmentVariable>, ProviderError> {
        self.provider_request(ctx, args!(project_id, page), move |call| async move {
            let all = call
                .ask(move |api, to| api.list_environment_variables(to, project_id))
                .await?;
            Ok(Page::from_full_list(page, all))
        })
        .await
    }
}
