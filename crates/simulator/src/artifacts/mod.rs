//! Artifacts.

use axum::response::Response;

/// An artifact on its way out.
pub(crate) struct ArtifactAnswer {
    pub(crate) response: Response,
}

impl ArtifactAnswer {
    pub(crate) fn into_response(self) -> Response {
        self.response
    }
}
