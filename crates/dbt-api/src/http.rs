//! [`DbtWrappedApi`]: connections, headers, timeouts. Only this file and `guard.rs` use `reqwest`.

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use model::{ClientType, Upstream, UpstreamSource};
use reqwest::redirect;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::guard::{self, Guard};
use crate::request_url::request_url;
use crate::{ApiAnswer, ApiError, ApiRequest, BoxError, CollectLimits, WrappedApi};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How connections to dbt Cloud are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// For name resolution, TCP and TLS.
    pub connect_timeout: Duration,
    /// The longest time without a byte: before the head of the answer, and between two chunks of its body.
    pub read_timeout: Duration,
    /// From sending the request to the last byte of an answer that is read into memory. Streamed answers have no deadline.
    pub deadline: Duration,
    /// The longest body that is read into memory, in bytes after decompression.
    pub max_body_bytes: usize,
    /// How long an idle connection is kept. Set it below the 60 seconds after which common load balancers close idle
    /// connections: a change sent on a closing connection fails, because changes are never retried.
    pub pool_idle_timeout: Duration,
    /// How many idle connections are kept per host.
    pub pool_max_idle_per_host: usize,
    /// Whether credentials stored through the API may use addresses that are not public. If not, their connections also
    /// ignore the proxy in the environment, because a proxy resolves names itself. Credentials in the settings may use any
    /// address and the proxy.
    pub allow_private_addresses: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Default for HttpSettings {
    /// 5 s to connect, 120 s without a byte, 150 s and 64 MiB in total, 256 idle connections per host for 45 s, no private
    /// addresses for stored credentials.
    fn default() -> Self {
        let CollectLimits {
            deadline,
            max_body_bytes,
        } = CollectLimits::default();
        Self {
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_mins(2),
            deadline,
            max_body_bytes,
            pool_idle_timeout: Duration::from_secs(45),
            pool_max_idle_per_host: 256,
            allow_private_addresses: false,
            user_agent: concat!("dbt-gateway/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The HTTP client could not be set up (invalid `user_agent`, no system certificates).
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for dbt Cloud could not be set up")]
pub struct BuildError(#[source] BoxError);

/// dbt Cloud over HTTP. One per process: it holds the connections of all credentials.
#[derive(Debug)]
pub struct DbtWrappedApi {
    trusted: Connections,
    /// For stored credentials; `None` if they may use any address. Separate clients, so that they never reuse a connection
    /// opened by `trusted`.
    guarded: Option<Connections>,
    limits: CollectLimits,
}

/// One client that decompresses answers, one that passes them on unchanged.
#[derive(Debug)]
struct Connections {
    decoding: reqwest::Client,
    verbatim: reqwest::Client,
}

impl Connections {
    fn new(make: impl Fn() -> reqwest::ClientBuilder) -> Result<Self, BuildError> {
        Ok(Self {
            decoding: build(make())?,
            verbatim: build(make().no_gzip())?,
        })
    }

    fn of(&self, request: &ApiRequest) -> &reqwest::Client {
        if request.is_verbatim() {
            &self.verbatim
        } else {
            &self.decoding
        }
    }
}

impl DbtWrappedApi {
    /// Sets up the connection pools, without connecting.
    ///
    /// # Errors
    /// [`BuildError`] if the settings are invalid.
    ///
    /// # Panics
    /// If the process has not installed a rustls crypto provider.
    pub fn new(settings: &HttpSettings) -> Result<Self, BuildError> {
        Self::guarded_by(&Guard::default(), settings)
    }

    fn guarded_by(guard: &Guard, settings: &HttpSettings) -> Result<Self, BuildError> {
        let limits = CollectLimits {
            deadline: settings.deadline,
            max_body_bytes: settings.max_body_bytes,
        };
        let guarded = if settings.allow_private_addresses {
            None
        } else {
            let guarded = || connections(settings).dns_resolver(guard.clone()).no_proxy();
            Some(Connections::new(guarded)?)
        };
        let trusted = Connections::new(|| connections(settings))?;
        Ok(Self {
            trusted,
            guarded,
            limits,
        })
    }

    /// Decides whether the address rule applies to a request.
    fn connections(&self, source: UpstreamSource, url: &Url) -> Result<&Connections, ApiError> {
        match (source, &self.guarded) {
            (UpstreamSource::Stored, Some(guarded)) => {
                guard::check_literal(url)?;
                Ok(guarded)
            }
            (UpstreamSource::Stored, None) | (UpstreamSource::Settings, _) => Ok(&self.trusted),
        }
    }
}

/// Settings of all connections.
fn connections(settings: &HttpSettings) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle_per_host)
        .user_agent(&*settings.user_agent)
        // A redirect could carry the token to another host, or turn a POST into a GET.
        .redirect(redirect::Policy::none())
        // By default `reqwest` sends a refused HTTP/2 stream again, even a POST.
        .retry(reqwest::retry::never())
}

fn build(client: reqwest::ClientBuilder) -> Result<reqwest::Client, BuildError> {
    client.build().map_err(|error| BuildError(error.without_url().into()))
}

#[async_trait]
impl WrappedApi for DbtWrappedApi {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let url = request_url(to, &request)?;
        let client = self.connections(to.source, &url)?.of(&request);
        let mut call = reqwest::Request::new(request.method().clone(), url);
        let authorization = authorization(request.api(), &to.token)?;
        let is_verbatim = request.is_verbatim();
        let (mut headers, body) = request.into_parts();
        headers.insert(AUTHORIZATION, authorization);
        if !is_verbatim {
            headers.entry(ACCEPT).or_insert(JSON);
        }
        if let Some(body) = body {
            if body.is_empty() {
                // Otherwise a POST has no length, which some proxies refuse.
                headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
            }
            if !is_verbatim {
                headers.entry(CONTENT_TYPE).or_insert(JSON);
            }
            *call.body_mut() = Some(body.into());
        }
        *call.headers_mut() = headers;
        let mut answer = client
            .execute(call)
            .await
            .map_err(|error| exchange_error(error, None))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = answer
            .bytes_stream()
            .map_err(move |error| exchange_error(error, Some(status)));
        Ok(ApiAnswer::new(status, headers, body))
    }

    fn limits(&self) -> CollectLimits {
        self.limits
    }
}

/// The Administrative and the Discovery API accept `Token` and `Bearer`; the Semantic Layer documents only `Bearer`. Marked
/// sensitive, so that `Debug` does not show it.
fn authorization(api: ClientType, token: &SecretString) -> Result<HeaderValue, ApiError> {
    let scheme = match api {
        ClientType::DbtCloudAdministrative | ClientType::DbtCloudMetadata => "Token",
        ClientType::DbtCloudSemanticLayer => "Bearer",
    };
    let mut value = HeaderValue::try_from(format!("{scheme} {}", token.expose_secret()))
        .map_err(|error| ApiError::Unsendable(error.into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The reason why there is no answer or, with `status`, only a part of it. A connect timeout is a failure to connect: dbt
/// Cloud has not received the request.
fn exchange_error(error: reqwest::Error, status: Option<StatusCode>) -> ApiError {
    let error = error.without_url();
    if error.is_builder() {
        ApiError::Unsendable(error.into())
    } else if guard::has_refused(&error) {
        ApiError::ForbiddenAddress
    } else if error.is_connect() {
        ApiError::Connect(error.into())
    } else if error.is_timeout() {
        let source = error.into();
        ApiError::Timeout { status, source }
    } else {
        let source = error.into();
        ApiError::Disconnected { status, source }
    }
}

#[cfg(test)]
mod tests;
