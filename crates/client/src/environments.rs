//! Environments.

use model::{Environment, EnvironmentFilter, EnvironmentId, Page, PageQuery, ProjectId, RequestType, Target};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A page of the environments of an account, or of one project.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_environments(
        self,
        target: impl Into<Target>,
        filter: EnvironmentFilter,
        page: PageQuery,
    ) -> Result<Page<Environment>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListEnvironments, target).await?;
        Ok(provider.list_environments(ctx, filter, page).await?)
    }

    /// One environment; by version 3 of dbt Cloud's API where its project is named.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_environment(
        self,
        target: impl Into<Target>,
        environment_id: EnvironmentId,
        project_id: Option<ProjectId>,
    ) -> Result<Environment, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetEnvironment, target).await?;
        Ok(provider.get_environment(ctx, environment_id, project_id).await?)
    }
}
