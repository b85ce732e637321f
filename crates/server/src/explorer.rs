//! The explorer at `/docs` and the OpenAPI document. Both are embedded in the binary: they work without internet.

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::unknown_route;
use crate::state::Shared;

/// `/docs/…` and `/openapi.json`.
pub(crate) fn routes(document: &OpenApi) -> Router<Shared> {
    // Written once: it takes no key to ask for it, and writing it takes milliseconds. It always serialises.
    let json = Bytes::from(serde_json::to_vec(document).unwrap_or_default());
    let media_type = HeaderValue::from_static("application/json");
    let document = get(async move || ([(header::CONTENT_TYPE, media_type)], json));
    // By default the explorer sends the name of any host but localhost to a validator on the internet.
    let config = Config::new(["/openapi.json"]).validator_url("none");
    let explorer = SwaggerUi::new("/docs").config(config);
    Router::from(explorer)
        .layer(middleware::map_response(missing_file))
        .route("/openapi.json", document)
}

/// An unknown file is a problem like any other unknown path.
async fn missing_file(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        unknown_route().await.into_response()
    } else {
        response
    }
}
