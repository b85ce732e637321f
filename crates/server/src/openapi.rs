//! The OpenAPI document, generated from the handlers.

use axum::Router;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::documented_answers;
use crate::routes;
use crate::state::Shared;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "dbt-gateway",
        description = "Your company's own front door to dbt Cloud: it holds the dbt tokens, logs every request, and never sends a trigger twice.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
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

/// All routes, and the document.
pub(crate) fn routes() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let documented = OpenApiRouter::with_openapi(Document::openapi()).merge(routes::all());
    let (routes, mut document) = documented.split_for_parts();
    document.tags = Some(routes::tags());
    // The router's syntax for the rest of the path, which OpenAPI does not have.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    (routes, documented_answers::complete(document))
}

/// The document that `/openapi.json` serves.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().1
}
