//! The OpenAPI document, made from the handlers.

use axum::Router;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::documented_answers;
use crate::routes::{
    accounts, api_keys, artifacts, credentials, environments, graphql, health, job_definitions, jobs, list_runs,
    metrics, projects, request_logs, retries, runs,
};
use crate::state::Shared;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "dbt-gateway",
        description = "Your company's own front door to dbt Cloud: it holds the dbt tokens, logs every request, and never sends a trigger twice.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "accounts", description = "dbt Cloud accounts that the company holds"),
        (name = "projects", description = "dbt Cloud projects"),
        (name = "environments", description = "dbt Cloud environments"),
        (name = "jobs", description = "Jobs: the definitions, and what starts a run of one"),
        (name = "runs", description = "Runs: single executions of jobs"),
        (name = "artifacts", description = "Artifacts: the files that a run leaves behind"),
        (name = "graphql", description = "dbt Cloud's GraphQL APIs: Discovery and the Semantic Layer"),
        (name = "credentials", description = "Named dbt tokens of the company, for its admins"),
        (name = "api keys", description = "Callers' keys of the company, for its admins"),
        (name = "request log", description = "What was asked of the gateway, and what came of it"),
        (name = "service", description = "The gateway itself; no key needed but for its metrics"),
    ),
    security(("gateway_key" = [])),
    modifiers(&GatewayKey),
)]
struct Document;

struct GatewayKey;

impl Modify for GatewayKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut key = Http::new(HttpAuthScheme::Bearer);
        key.description = Some("A gateway key: `dbt-gateway keys create` makes one. Never a dbt token.".to_owned());
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("gateway_key", SecurityScheme::Http(key));
    }
}

/// All routes, each with its place in the document.
pub(crate) fn routes() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let (routes, mut document) = documented().split_for_parts();
    // The router's spelling of "all the rest of the path"; OpenAPI has none.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    (routes, documented_answers::complete(document))
}

fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(accounts::list_accounts))
        .routes(routes!(accounts::get_account))
        .routes(routes!(projects::list_projects))
        .routes(routes!(projects::get_project))
        .routes(routes!(environments::list_environments))
        .routes(routes!(environments::get_environment))
        .routes(routes!(job_definitions::list_jobs, job_definitions::create_job))
        .routes(routes!(
            job_definitions::get_job,
            job_definitions::update_job,
            job_definitions::delete_job
        ))
        .routes(routes!(jobs::trigger_job))
        .routes(routes!(list_runs::list_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::list_run_steps))
        .routes(routes!(runs::get_run_failure))
        .routes(routes!(runs::cancel_run))
        .routes(routes!(retries::get_retry_preview, retries::retry_run))
        .routes(routes!(retries::rerun_job))
        .routes(routes!(artifacts::list_run_artifacts))
        .routes(routes!(artifacts::get_run_artifact))
        .routes(routes!(artifacts::get_job_artifact))
        .routes(routes!(graphql::query_metadata))
        .routes(routes!(graphql::query_semantic_layer))
        .routes(routes!(credentials::list_credentials, credentials::create_credential))
        .routes(routes!(
            credentials::get_credential,
            credentials::update_credential,
            credentials::delete_credential
        ))
        .routes(routes!(credentials::verify_credential))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::get_api_key, api_keys::revoke_api_key))
        .routes(routes!(request_logs::list_request_logs))
        .routes(routes!(request_logs::export_request_logs))
        .routes(routes!(request_logs::summarize_request_logs))
        .routes(routes!(request_logs::get_request_log))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(health::welcome))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The document, as `/openapi.json` serves it.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().1
}
