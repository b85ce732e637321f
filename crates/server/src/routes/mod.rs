//! The REST routes, one file or folder a resource.

mod accounts;
mod api_keys;
mod artifacts;
mod budget;
mod connections;
mod credentials;
mod environment_variables;
mod environments;
mod events;
mod graphql;
pub(crate) mod health;
mod jobs;
mod metrics;
mod projects;
mod request_logs;
mod runs;
mod started;

use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::state::Shared;
use started::Started;

/// Puts the resources together: routes and tags, in the order of the OpenAPI document.
macro_rules! resources {
    ($($module:ident: $tag:literal $description:literal,)*) => {
        /// The routes of all resources.
        pub(crate) fn all() -> OpenApiRouter<Shared> {
            OpenApiRouter::new()$(.merge($module::routes()))*
        }

        /// The tags of the operations, with their descriptions.
        pub(crate) fn tags() -> Vec<Tag> {
            let all = [$(($tag, $description)),*];
            let tag = |(name, description)| TagBuilder::new().name(name).description(Some(description)).build();
            let mut tags: Vec<_> = all.into_iter().map(tag).collect();
            tags.dedup();
            tags
        }
    };
}

resources! {
    accounts: "accounts" "dbt Cloud accounts that the company holds",
    projects: "projects" "dbt Cloud projects",
    environments: "environments" "dbt Cloud environments",
    environment_variables: "environment variables" "dbt Cloud environment variables of a project",
    connections: "connections" "dbt Cloud connections to warehouses",
    jobs: "jobs" "Jobs: the definitions, and what starts a run of one",
    runs: "runs" "Runs: single executions of jobs",
    events: "events" "What happens to runs, as it happens",
    artifacts: "artifacts" "Artifacts: the files that a run writes",
    graphql: "graphql" "dbt Cloud's GraphQL APIs: Discovery and the Semantic Layer",
    credentials: "credentials" "Named dbt tokens of the company, for its admins",
    api_keys: "api keys" "Callers' keys of the company, for its admins",
    budget: "budget" "The budget of requests to dbt Cloud, which all replicas share",
    request_logs: "request log" "The requests to the gateway and their outcomes",
    metrics: "service" "The gateway itself; no key needed except for its metrics",
    health: "service" "The gateway itself; no key needed except for its metrics",
}
