//! Projects.

use model::{ClientContext, Page, PageQuery, Project, ProjectFilter, ProjectId, RequestType};

use crate::exchanges::Why;
use crate::gather::gather;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

impl DbtProvider {
    /// The page of the account's projects that was asked for, gathered from dbt's pages of 100.
    ///
    /// An exact `name` is compared here, over all projects whose name contains it, since dbt Cloud cannot.
    ///
    /// # Errors
    /// [`ProviderError`]: the page is whole or an error.
    pub async fn list_projects(
        &self,
        ctx: ClientContext,
        filter: ProjectFilter,
        page: PageQuery,
    ) -> Result<Page<Project>, ProviderError> {
        let asked = Asked {
            args: args!(filter, page),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            let filter = &filter;
            let fetch = |slice, why| {
                call.exchange(RequestType::ListProjects, why, move |api, to| {
                    api.list_projects(to, filter, slice)
                })
            };
            let id = |project: &Project| project.id;
            let name = filter.name.as_ref();
            let named = name.map(|name| move |project: &Project| project.name.as_ref() == Some(name));
            Ok(gather(page, call.gather_concurrency, id, named, fetch).await?)
        })
        .await
    }

    /// One project.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_project(&self, ctx: ClientContext, project_id: ProjectId) -> Result<Project, ProviderError> {
        let asked = Asked {
            args: args!(project_id),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            Ok(call
                .exchange(RequestType::GetProject, Why::Asked, move |api, to| {
                    api.get_project(to, project_id)
                })
                .await?)
        })
        .await
    }
}
