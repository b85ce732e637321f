//! The explorer at `/docs` and the OpenAPI document. Both are embedded in the binary: they work without internet.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::unknown_route;
use crate::state::Shared;

/// `/docs/…` and `/openapi.json`.
pub(crate) fn routes(document: OpenApi) -> Router<Shared> {
    // By default the explorer sends the name of any host but localhost to a validator on the internet.
    let config = Config::default().validator_url("none");
    let explorer = SwaggerUi::new("/docs").url("/openapi.json", document).config(config);
    Router::from(explorer).layer(middleware::map_response(missing_file))
}

/// An unknown file is a problem like any other unknown path.
async fn missing_file(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        unknown_route().await.into_response()
    } else {
        response
    }
}
