//! Projects.

use model::{Page, PageQuery, Project, ProjectFilter, ProjectId, RequestType, Target};

use crate::{ClientError, DbtClient};

impl DbtClient {
    /// A page of an account's projects.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_projects(
        self,
        target: impl Into<Target>,
        filter: ProjectFilter,
        page: PageQuery,
    ) -> Result<Page<Project>, ClientError> {
        let (provider, ctx) = self.admit(RequestType::ListProjects, target).await?;
        Ok(provider.list_projects(ctx, filter, page).await?)
    }

    /// One project.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_project(self, target: impl Into<Target>, project_id: ProjectId) -> Result<Project, ClientError> {
        let (provider, ctx) = self.admit(RequestType::GetProject, target).await?;
        Ok(provider.get_project(ctx, project_id).await?)
    }
}
