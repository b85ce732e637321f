//! Environments.

use model::{Environment, EnvironmentFilter, EnvironmentId, PageQuery, ProjectId};
use provider::Listing;

crate::operations! {
    /// A page of the environments of an account, or of one project.
    ListEnvironments => list_environments(filter: EnvironmentFilter, page: PageQuery) -> Listing<Environment>;
    /// One environment; by version 3 of dbt Cloud's API if its project is named.
    GetEnvironment => get_environment(environment_id: EnvironmentId, project_id: Option<ProjectId>) -> Environment;
}
