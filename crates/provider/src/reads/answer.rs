//! Answers that several requests get.

use bytes::Bytes;
use dbt_api::ApiAnswer;
use futures::stream;
use http::{HeaderMap, StatusCode};
use model::{ServedFrom, Source};
use tokio::time::Instant;
use uuid::Uuid;

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct WholeAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The request for which it was fetched.
    pub(crate) request_uuid: Uuid,
    pub(crate) fetched_at: Instant,
}

impl WholeAnswer {
    /// The answer for one more reader.
    pub(crate) fn answer(&self) -> ApiAnswer {
        let body = self.body.clone();
        let pieces = (!body.is_empty()).then_some(Ok(body));
        ApiAnswer::new(self.status, self.headers.clone(), stream::iter(pieces))
    }

    /// Its source, for a request other than the one it was fetched for.
    pub(crate) fn source(&self, from: ServedFrom) -> Source {
        Source {
            from,
            age: self.fetched_at.elapsed(),
            request_uuid: Some(self.request_uuid),
        }
    }
}
