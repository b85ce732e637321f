//! The explorer at `/docs` and the OpenAPI document. Both are embedded in the binary: they work without internet.

use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use utoipa_swagger_ui::Config;

use crate::problem::unknown_route;
use crate::state::Shared;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("explorer.js");
const STYLE: &str = include_str!("explorer.css");

/// `/docs/…` and `/openapi.json`.
pub(crate) fn routes(document: impl FnOnce() -> Vec<u8> + Send + 'static) -> Router<Shared> {
    // Written once, when it is first asked for: that takes no key.
    let json = Arc::new(LazyLock::new(move || Bytes::from(document())));
    let media_type = HeaderValue::from_static("application/json");
    let document = get(async move || ([(header::CONTENT_TYPE, media_type)], Bytes::clone(&json)));
    Router::new()
        .route("/docs", get(async || Redirect::to("/docs/")))
        .route("/docs/", get(async || own("text/html; charset=utf-8", PAGE)))
        .route(
            "/docs/explorer.js",
            get(async || own("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route(
            "/docs/explorer.css",
            get(async || own("text/css; charset=utf-8", STYLE)),
        )
        .route("/docs/{*path}", get(asset))
        .route("/openapi.json", document)
}

fn own(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, media_type)], text)
}

/// A file of Swagger UI. Its own page and its settings are replaced by ours.
async fn asset(Path(path): Path<String>) -> Response {
    let is_replaced = ["index.html", "swagger-initializer.js", "oauth2-redirect.html"].contains(&path.as_str());
    let config = Arc::new(Config::new(["/openapi.json"]));
    // An error of the library is not `Send`, and says no more than that there is no such file.
    let file = utoipa_swagger_ui::serve(&path, config).ok().flatten();
    let Some(file) = file.filter(|_| !is_replaced) else {
        return unknown_route().await.into_response();
    };
    let mut response = file.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    if file.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
