//! The trait for one HTTP exchange with dbt Cloud, with its request and answer.
//!
//! [`DbtWrappedApi`](crate::DbtWrappedApi) implements it; tests of higher layers use fakes. The typed methods
//! (`list_projects`, …) are methods of `dyn WrappedApi`, in one file per resource.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt as _};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::{ClientType, Slice, Upstream};
use serde::Serialize;
use shares::Exhausted;

use crate::ApiError;
use crate::error::is_transient;
use crate::retry_after::retry_after;

/// Sends requests to dbt Cloud.
#[async_trait]
pub trait WrappedApi: Send + Sync {
    /// Exactly one HTTP exchange. The body of the answer is not read yet.
    ///
    /// # Errors
    /// [`ApiError::Connect`], [`ApiError::NotProcessed`], [`ApiError::Disconnected`], [`ApiError::Timeout`] if there is no
    /// answer; [`ApiError::ForbiddenAddress`] and [`ApiError::Unsendable`] if nothing was sent. No status is an error here.
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError>;

    /// The limits of the typed methods, which read the whole answer. Not applied by `send`, because streamed answers have
    /// no deadline. A wrapper returns the limits of the inner API.
    fn limits(&self) -> CollectLimits {
        CollectLimits::default()
    }

    /// Called before this many more bytes of an answer are kept in memory. A wrapper that counts them for a request refuses
    /// what exceeds its share.
    ///
    /// # Errors
    /// [`Exhausted`].
    fn keep_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        let _ = bytes;
        Ok(())
    }
}

/// The limits of an answer that is read into memory.
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

/// A request to dbt Cloud. Base URL and token are those of the [`Upstream`] it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    api: ClientType,
    method: Method,
    path: String,
    query: Query,
    headers: HeaderMap,
    body: Option<Bytes>,
    is_verbatim: bool,
    needs_fresh_connection: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Query {
    Pairs(Vec<(&'static str, String)>),
    Raw(String),
}

impl ApiRequest {
    /// A read of the Administrative API. `path` is relative to the base URL, with the leading slash and the trailing slash of
    /// the specification (`/v3/accounts/1/projects/`). Text from callers must be percent-encoded.
    pub fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    /// A read of one page of a list. `path` as for [`Self::get`].
    pub fn list(path: String, slice: Slice) -> Self {
        Self::get(path)
            .query("limit", &slice.limit)
            .query("offset", &slice.offset)
    }

    /// A POST to the Administrative API, without a body unless [`Self::json`] adds one. `path` as for [`Self::get`].
    pub fn post(path: String) -> Self {
        Self::new(Method::POST, path)
    }

    /// A DELETE to the Administrative API. `path` as for [`Self::get`].
    pub fn delete(path: String) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A read of a file of any type. `path` as for [`Self::get`]. The answer is [verbatim](Self::is_verbatim).
    pub fn file(path: String) -> Self {
        Self {
            is_verbatim: true,
            ..Self::new(Method::GET, path)
        }
        .header(ACCEPT, HeaderValue::from_static("*/*"))
    }

    /// A caller's request, forwarded unchanged: `path` is relative to the base URL of `api`, and no headers are added
    /// except the token's. The answer is [verbatim](Self::is_verbatim).
    pub fn forward(
        api: ClientType,
        method: Method,
        path: String,
        query: Option<String>,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Self {
        Self {
            api,
            query: query.map_or(Query::Pairs(Vec::new()), Query::Raw),
            headers,
            body,
            is_verbatim: true,
            ..Self::new(method, path)
        }
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            api: ClientType::DbtCloudAdministrative,
            method,
            path,
            query: Query::Pairs(Vec::new()),
            headers: HeaderMap::new(),
            body: None,
            is_verbatim: false,
            needs_fresh_connection: false,
        }
    }

    /// The same request to another API of dbt Cloud.
    #[must_use]
    pub fn to(self, api: ClientType) -> Self {
        Self { api, ..self }
    }

    /// The same request with another path.
    pub(crate) fn with_path(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// Adds a query parameter; the value is encoded when sent. Replaces a raw query.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        let pair = (name, value.to_string());
        match &mut self.query {
            Query::Pairs(pairs) => pairs.push(pair),
            Query::Raw(_) => self.query = Query::Pairs(vec![pair]),
        }
        self
    }

    /// Adds a query parameter if there is a value.
    #[must_use]
    pub fn query_some(self, name: &'static str, value: Option<&(impl ToString + ?Sized)>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets these headers, replacing those of the same name.
    #[must_use]
    pub fn with_headers(mut self, headers: &HeaderMap) -> Self {
        self.headers.extend(headers.clone());
        self
    }

    /// Gives the request a JSON body.
    ///
    /// # Errors
    /// [`ApiError::Unsendable`] if `body` cannot be serialised.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, ApiError> {
        let json = serde_json::to_vec(body).map_err(|error| ApiError::Unsendable(error.into()))?;
        self.body = Some(json.into());
        Ok(self)
    }

    /// The API of dbt Cloud that it is for.
    pub fn api(&self) -> ClientType {
        self.api
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, relative to the base URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query parameters in the order they are sent, not encoded; none if there is a raw query.
    pub fn query_pairs(&self) -> &[(&'static str, String)] {
        match &self.query {
            Query::Pairs(pairs) => pairs,
            Query::Raw(_) => &[],
        }
    }

    /// The query of a forwarded request, as received.
    pub fn raw_query(&self) -> Option<&str> {
        match &self.query {
            Query::Pairs(_) => None,
            Query::Raw(query) => Some(query),
        }
    }

    /// The headers except the token's. `Accept` and `Content-Type` default to JSON, unless the answer is verbatim.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the answer is passed on unchanged: it is not decompressed, and no compression is requested beyond the
    /// headers.
    pub fn is_verbatim(&self) -> bool {
        self.is_verbatim
    }

    /// The same request on a connection of its own, opened for it: for what a closing connection did not process.
    #[must_use]
    pub fn on_fresh_connection(self) -> Self {
        Self {
            needs_fresh_connection: true,
            ..self
        }
    }

    /// Whether the request is sent on a connection of its own.
    pub fn needs_fresh_connection(&self) -> bool {
        self.needs_fresh_connection
    }

    /// The body, if any.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Headers and body by value.
    pub(crate) fn into_parts(self) -> (HeaderMap, Option<Bytes>) {
        (self.headers, self.body)
    }
}

/// The body of an answer as a stream of chunks. An error is its last item.
pub type ApiBody = BoxStream<'static, Result<Bytes, ApiError>>;

/// An answer of dbt Cloud with an unread body.
pub struct ApiAnswer {
    /// dbt's status.
    pub status: StatusCode,
    /// dbt's headers.
    pub headers: HeaderMap,
    body: ApiBody,
}

impl ApiAnswer {
    /// An answer from its parts.
    pub fn new(
        status: StatusCode,
        headers: HeaderMap,
        body: impl Stream<Item = Result<Bytes, ApiError>> + Send + 'static,
    ) -> Self {
        let body = body.boxed();
        Self { status, headers, body }
    }

    /// Whether a *read* may be retried after this status: 408, 502, 503 or 504.
    pub fn is_transient(&self) -> bool {
        is_transient(self.status)
    }

    /// How long to wait before the next request, at most a day, if dbt Cloud says so.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// The body.
    pub fn into_body(self) -> ApiBody {
        self.body
    }

    /// The same answer; `guard` is dropped with its body.
    #[must_use]
    pub fn holding(self, guard: impl Send + Unpin + 'static) -> Self {
        let body = Guarded {
            body: self.body,
            _guard: guard,
        };
        Self {
            body: body.boxed(),
            ..self
        }
    }
}

/// A body with a guard.
struct Guarded<G> {
    body: ApiBody,
    _guard: G,
}

impl<G: Unpin> Stream for Guarded<G> {
    type Item = Result<Bytes, ApiError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.body.poll_next_unpin(cx)
    }
}

impl fmt::Debug for ApiAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
