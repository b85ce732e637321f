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
use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::{ClientType, Upstream};
use serde::Serialize;

use crate::ApiError;
use crate::error::is_transient;
use crate::retry_after::retry_after;

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

/// A request to dbt Cloud. The account's addresses and token come from the [`Upstream`] it is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    api: ClientType,
    method: Method,
    path: String,
    query: Query,
    headers: HeaderMap,
    body: Option<Bytes>,
    is_verbatim: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Query {
    Pairs(Vec<(&'static str, String)>),
    AsItCame(String),
}

impl ApiRequest {
    /// A read of the Administrative API. `path` goes below the base address, from its slash to the specification's
    /// trailing slash (`/v3/accounts/1/projects/`), and is built of ids alone: text from a caller only percent-encoded.
    pub fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    /// A change by the Administrative API, without a body until [`Self::json`] gives one. `path` as for [`Self::get`].
    pub fn post(path: String) -> Self {
        Self::new(Method::POST, path)
    }

    /// A deletion by the Administrative API. `path` as for [`Self::get`].
    pub fn delete(path: String) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A read of a file, whatever its type. `path` as for [`Self::get`]. Its answer comes [verbatim](Self::is_verbatim).
    pub fn file(path: String) -> Self {
        Self {
            is_verbatim: true,
            ..Self::new(Method::GET, path)
        }
        .header(ACCEPT, HeaderValue::from_static("*/*"))
    }

    /// A caller's own request, sent on as it came: the path below the base address of that API (for Discovery and the
    /// Semantic Layer: below their origin), the query as it was written, no headers but these and the token's.
    /// Its answer comes [verbatim](Self::is_verbatim).
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
            query: query.map_or(Query::Pairs(Vec::new()), Query::AsItCame),
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
        }
    }

    /// The same request to another of dbt Cloud's APIs.
    #[must_use]
    pub fn to(self, api: ClientType) -> Self {
        Self { api, ..self }
    }

    /// The same request for another path; for the other spelling of its end.
    pub(crate) fn at(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// Adds a query parameter; the value may be any text and is encoded when sent. A query that came from a caller is
    /// replaced.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        let pair = (name, value.to_string());
        match &mut self.query {
            Query::Pairs(pairs) => pairs.push(pair),
            Query::AsItCame(_) => self.query = Query::Pairs(vec![pair]),
        }
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds these headers, in place of those of the same name.
    #[must_use]
    pub fn with_headers(mut self, headers: &HeaderMap) -> Self {
        self.headers.extend(headers.clone());
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

    /// Which of dbt Cloud's APIs it is for.
    pub fn api(&self) -> ClientType {
        self.api
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path below the base address.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query parameters in the order they are sent, not yet encoded; none where the query came from a caller.
    pub fn query_pairs(&self) -> &[(&'static str, String)] {
        match &self.query {
            Query::Pairs(pairs) => pairs,
            Query::AsItCame(_) => &[],
        }
    }

    /// The query as its caller wrote it, if it came from one.
    pub fn query_as_it_came(&self) -> Option<&str> {
        match &self.query {
            Query::Pairs(_) => None,
            Query::AsItCame(query) => Some(query),
        }
    }

    /// The headers besides the token's. Without `Accept` and `Content-Type` among them JSON is meant, unless the answer
    /// is handed on: then nothing is said.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the answer's body and headers are handed on as they come: nothing is decompressed, and nothing is
    /// asked for compressed that the headers do not ask for.
    pub fn is_verbatim(&self) -> bool {
        self.is_verbatim
    }

    /// The body, if there is one.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Headers and body by value, for the one who sends them.
    pub(crate) fn into_parts(self) -> (HeaderMap, Option<Bytes>) {
        (self.headers, self.body)
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

    /// Whether a *read* so answered may be sent again: 408, 502, 503 or 504.
    pub fn is_transient(&self) -> bool {
        is_transient(self.status)
    }

    /// How long dbt Cloud wants us to stay away, at most a day; `None` where it does not say.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
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
