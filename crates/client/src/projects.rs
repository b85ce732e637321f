//! Projects.

use model::{AccountId, Page, PageQuery, Project, ProjectFilter, ProjectId, RequestType};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A page of an account's projects.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_projects(
        self,
        account: Option<AccountId>,
        filter: ProjectFilter,
        page: PageQuery,
    ) -> Result<Page<Project>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListProjects, account).await?;
        Ok(provider.list_projects(ctx, filter, page).await?)
    }

    /// One project.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_project(self, account: Option<AccountId>, project_id: ProjectId) -> Result<Project, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetProject, account).await?;
        Ok(provider.get_project(ctx, project_id).await?)
    }
}
