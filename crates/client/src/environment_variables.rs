//! Environment variables.

use model::{EnvironmentVariable, Page, PageQuery, ProjectId};

crate::operations! {
    /// A page of a project's environment variables.
    ListEnvironmentVariables => list_environment_variables(project_id: ProjectId, page: PageQuery) -> Page<EnvironmentVariable>;
}
