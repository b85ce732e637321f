//! The seam: one HTTP exchange with dbt Cloud, as a trait, with its request and its answer.
//!
//! [`DbtWrappedApi`](crate::DbtWrappedApi) is the real one; tests of the floors above bring their own. The typed
//! methods (`list_projects`, …) are written once, on the trait object, in one file a resource; nothing here knows a
//! resource.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _};
use http::{HeaderMap, Method, StatusCode};
use model::Upstream;
use serde::Serialize;

use crate::ApiError;

/// Sends requests to dbt Cloud.
#[async_trait]
pub trait WrappedApi: Send + Sync {
    /// Exactly one HTTP exchange, whatever the status; the body is not read yet.
    ///
    /// # Errors
    /// [`ApiError::Connect`], [`ApiError::Disconnected`], [`ApiError::Timeout`] where no answer came;
    /// [`ApiError::ForbiddenAddress`] and [`ApiError::Unsendable`] where nothing was sent. A status is never an error here.
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError>;

    /// What bounds the typed methods, which collect the answer whole: they begin with `send`, so the deadline cannot
    /// live in it, and an answer that is streamed on must have none. One that wraps another hands its limits through.
    fn limits(&self) -> CollectLimits {
        CollectLimits::default()
    }
}

/// How long and how large an answer may be that is collected whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectLimits {
    /// From sending the request to the last byte of the answer.
    pub deadline: Duration,
    /// Bytes of body held in memory, after decompression.
    pub max_body_bytes: usize,
}

impl Default for CollectLimits {
    /// 150 seconds, 64 MiB.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(150),
            max_body_bytes: 64 << 20,
        }
    }
}

/// A request to the Administrative API. The account's address and token come from the [`Upstream`] it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

impl ApiRequest {
    /// A read. `path` goes below the base address, from its slash to the specification's trailing slash
    /// (`/v3/accounts/1/projects/`), and is built of ids alone: never of text from a caller.
    pub fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    /// A change, without a body until [`Self::json`] gives one. `path` as for [`Self::get`].
    pub fn post(path: String) -> Self {
        Self::new(Method::POST, path)
    }

    fn new(method: Method, path: String) -> Self {
        let query = Vec::new();
        let body = None;
        Self {
            method,
            path,
            query,
            body,
        }
    }

    /// Adds a query parameter; the value may be any text and is encoded when sent.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Gives the request a JSON body.
    ///
    /// # Errors
    /// [`ApiError::Unsendable`] when `body` has no JSON form.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, ApiError> {
        let json = serde_json::to_vec(body).map_err(|error| ApiError::Unsendable(error.into()))?;
        self.body = Some(json.into());
        Ok(self)
    }

    /// GET for a read, POST for a change.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path below the base address.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query parameters in the order they are sent, not yet encoded.
    pub fn query_pairs(&self) -> &[(&'static str, String)] {
        &self.query
    }

    /// The JSON body, if there is one.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The body by value, for the one who sends it.
    pub(crate) fn into_body(self) -> Option<Bytes> {
        self.body
    }
}

/// The body of an answer as it arrives. An error in it is the last item.
pub type ApiBody = BoxStream<'static, Result<Bytes, ApiError>>;

/// An answer of dbt Cloud whose body is still to be read.
pub struct ApiAnswer {
    /// dbt's status, whatever it is.
    pub status: StatusCode,
    /// dbt's headers.
    pub headers: HeaderMap,
    body: ApiBody,
}

impl ApiAnswer {
    /// Puts an answer together.
    pub fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: impl Stream<Item = Result<Bytes, ApiError>> + Send + 'static,
    ) -> Self {
        let body = body.boxed();
        Self { status, headers, body }
    }

    /// The body, to be read or passed on piece by piece.
    pub fn into_body(self) -> ApiBody {
        self.body
    }
}

impl fmt::Debug for ApiAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
