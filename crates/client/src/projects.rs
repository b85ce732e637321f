//! Projects.

use model::{Page, PageQuery, Project, ProjectFilter, ProjectId};

crate::operations! {
    /// A page of an account's projects.
    ListProjects => list_projects(filter: ProjectFilter, page: PageQuery) -> Page<Project>;
    /// One project.
    GetProject => get_project(project_id: ProjectId) -> Project;
}
