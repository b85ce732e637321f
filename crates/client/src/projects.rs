//! Projects.

use model::{PageQuery, Project, ProjectFilter, ProjectId};
use provider::Listing;

crate::operations! {
    /// A page of an account's projects.
    ListProjects => list_projects(filter: ProjectFilter, page: PageQuery) -> Listing<Project>;
    /// One project.
    GetProject => get_project(project_id: ProjectId) -> Project;
}
