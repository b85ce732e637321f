//! The OpenAPI document, generated from the handlers and completed with what they need not repeat: problems, roles, exact
//! schemas, examples of the demo, links.

mod access;
mod answers;
mod examples;
mod headers;
mod links;
mod ordered;
mod schemas;
mod walk;

use axum::Router;
use serde_json::Value;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use self::ordered::Ordered;
use crate::problem::ProblemType;
use crate::routes;
use crate::state::Shared;
use crate::words::{
    EventFormWord, OnEndWords, OutcomeName, RelatedToRun, RelatedToRuns, RequestTypeName, RunStatusWord, WaitAddition,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "dbt-gateway",
        description = include_str!("guide.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(name = "Whoever runs this gateway in your company"),
    ),
    servers((url = "/", description = "The gateway that serves this document.")),
    security(("gateway_key" = [])),
    modifiers(&GatewayKey),
    // Those that only parameters use: the router collects the others.
    components(schemas(
        model::DeploymentType, model::EnvironmentType, model::IfRunning, model::JobRelated, model::RunOrder, model::StateFilter,
        model::Surface, crate::Problem, ProblemType, OutcomeName, RelatedToRun, RelatedToRuns, RequestTypeName, RunStatusWord,
        EventFormWord, OnEndWords, WaitAddition
    )),
)]
struct Document;

struct GatewayKey;

impl Modify for GatewayKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut key = Http::new(HttpAuthScheme::Bearer);
        key.description = Some(
            "A gateway key, which begins with `dgw_`; never a dbt token. An admin of your company makes one with \
             `POST /api-keys`, the operator with `dbt-gateway keys create`."
                .to_owned(),
        );
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("gateway_key", SecurityScheme::Http(key));
    }
}

/// All routes, and the text of the document, which takes a moment to complete.
pub(crate) fn routes() -> (Router<Shared>, impl FnOnce() -> Vec<u8> + Send + 'static) {
    let (routes, document) = parts();
    // The document always serialises.
    let text = move || serde_json::to_vec(&Ordered(&document())).unwrap_or_default();
    (routes, text)
}

fn parts() -> (Router<Shared>, impl FnOnce() -> Value + Send + 'static) {
    let documented = OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all());
    let (routes, mut document) = documented.split_for_parts();
    document.tags = Some(routes::tags());
    // The router's syntax for the rest of the path, which OpenAPI does not have.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    (routes, move || completed(document))
}

fn completed(document: utoipa::openapi::OpenApi) -> Value {
    // The document always serialises.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    headers::complete(&mut document);
    schemas::complete(&mut document);
    answers::complete(&mut document);
    access::complete(&mut document);
    examples::complete(&mut document);
    links::complete(&mut document);
    document
}

/// The document that `/openapi.json` serves.
pub fn document() -> Value {
    parts().1()
}

/// The document as a text of several lines.
pub fn document_text() -> String {
    // The document always serialises.
    serde_json::to_string_pretty(&Ordered(&document())).unwrap_or_default()
}
