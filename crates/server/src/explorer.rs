//! The explorer at `/docs` and the document it shows. All of it comes from this binary: it works without internet.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::unknown_route;
use crate::state::Shared;

/// `/docs/…` and `/openapi.json`.
pub(crate) fn routes(document: OpenApi) -> Router<Shared> {
    // Without this the explorer, seen at any host but localhost, sends that host's name to a validator on the internet.
    let config = Config::default().validator_url("none");
    let explorer = SwaggerUi::new("/docs").url("/openapi.json", document).config(config);
    Router::from(explorer).layer(middleware::map_response(missing_file))
}

/// A file that the explorer does not have is a problem like any other unknown path.
async fn missing_file(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        unknown_route().await.into_response()
    } else {
        response
    }
}
