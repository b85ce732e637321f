//! The HTTP form of [`WrappedApi`]: connections, headers, timeouts. With `guard.rs` the only file that knows `reqwest`.
//!
//! What an answer means is not decided here (`response.rs`), nor which address is public (`guard.rs`).

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
use crate::{ApiAnswer, ApiError, ApiRequest, BoxError, CollectLimits, WrappedApi};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How connections to dbt Cloud are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// To find the address, connect and agree on TLS.
    pub connect_timeout: Duration,
    /// Without a single byte: from sending the request to the head of the answer, and between two pieces of its body.
    pub read_timeout: Duration,
    /// From sending to the last byte, for answers that are collected whole; streamed ones have no such limit.
    pub deadline: Duration,
    /// The longest body that is collected whole, in bytes after decompression.
    pub max_body_bytes: usize,
    /// How long an unused connection is kept. Best below the 60 seconds after which common load balancers hang up: a
    /// change that meets a closing connection fails, since it is never sent again.
    pub pool_idle_timeout: Duration,
    /// How many unused connections are kept for each host.
    pub pool_max_idle_per_host: usize,
    /// Whether stored credentials, which came in through the API, may lead to addresses that are not public. While they
    /// may not, their connections go through no proxy of the environment either: it would connect for us, wherever it
    /// likes. Credentials of the settings may lead anywhere, and by such a proxy.
    pub allow_private_addresses: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Default for HttpSettings {
    /// 5 s to connect, 120 s without a byte, 150 s and 64 MiB in all, 256 unused connections a host for 45 s, no private
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

/// The HTTP client could not be set up (an unusable `user_agent`, no certificates of the system).
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for dbt Cloud could not be set up")]
pub struct BuildError(#[source] BoxError);

/// dbt Cloud itself, over HTTP. One for the whole process: it holds the connections of all credentials.
#[derive(Debug)]
pub struct DbtWrappedApi {
    pub(crate) trusted: Connections,
    /// For stored credentials; `None` where they may lead anywhere. Clients of their own, so that they never take up a
    /// connection that `trusted` has opened.
    guarded: Option<Connections>,
    limits: CollectLimits,
}

/// Connections for answers that we read ourselves, and for those that are handed on.
#[derive(Debug)]
pub(crate) struct Connections {
    decoding: reqwest::Client,
    verbatim: reqwest::Client,
}

impl Connections {
    pub(crate) fn new(make: impl Fn() -> reqwest::ClientBuilder) -> Result<Self, BuildError> {
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
    /// Sets up the connection pools; connects to nothing yet.
    ///
    /// # Errors
    /// [`BuildError`] when the settings are unusable.
    ///
    /// # Panics
    /// When the process has installed no rustls crypto provider.
    pub fn new(settings: &HttpSettings) -> Result<Self, BuildError> {
        Self::guarded_by(&Guard::default(), settings)
    }

    pub(crate) fn guarded_by(guard: &Guard, settings: &HttpSettings) -> Result<Self, BuildError> {
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

    /// The one place that decides whether the address rule holds for a request.
    fn connections(&self, source: UpstreamSource, address: &Url) -> Result<&Connections, ApiError> {
        match (source, &self.guarded) {
            (UpstreamSource::Stored, Some(guarded)) => {
                guard::check_literal(address)?;
                Ok(guarded)
            }
            (UpstreamSource::Stored, None) | (UpstreamSource::Settings, _) => Ok(&self.trusted),
        }
    }
}

/// What holds for every connection.
fn connections(settings: &HttpSettings) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle_per_host)
        .user_agent(&*settings.user_agent)
        // A redirect could carry the token to another host, or turn a POST into a GET.
        .redirect(redirect::Policy::none())
        // By default a refused HTTP/2 stream is sent again, a POST too.
        .retry(reqwest::retry::never())
}

fn build(client: reqwest::ClientBuilder) -> Result<reqwest::Client, BuildError> {
    client.build().map_err(|error| BuildError(error.without_url().into()))
}

#[async_trait]
impl WrappedApi for DbtWrappedApi {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let address = address(to, &request)?;
        let client = self.connections(to.source, &address)?.of(&request);
        let mut call = reqwest::Request::new(request.method().clone(), address);
        let authorization = authorization(request.api(), &to.token)?;
        let is_verbatim = request.is_verbatim();
        let (mut headers, body) = request.into_parts();
        headers.insert(AUTHORIZATION, authorization);
        if !is_verbatim {
            headers.entry(ACCEPT).or_insert(JSON);
        }
        if let Some(body) = body {
            if body.is_empty() {
                // Otherwise a POST would go without a length, which some proxies refuse.
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
            .map_err(|error| without_answer(error, None))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = answer
            .bytes_stream()
            .map_err(move |error| without_answer(error, Some(status)));
        Ok(ApiAnswer::new(status, headers, body))
    }

    fn limits(&self) -> CollectLimits {
        self.limits
    }
}

/// `Token` and `Bearer` mean the same to the Administrative and the Discovery API; the Semantic Layer's documentation
/// knows `Bearer` alone. Marked sensitive, so that no `Debug` shows it.
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

#[derive(Debug, thiserror::Error)]
#[error("the path {0} would not be sent as it is written")]
struct PathChanged(String);

/// The base address keeps its own path, with or without a slash at its end, and its host; nothing else of it is sent:
/// reqwest would turn a user and password into an `Authorization` of its own.
pub(crate) fn address(to: &Upstream, request: &ApiRequest) -> Result<Url, ApiError> {
    let mut address = to.base_url(request.api()).clone();
    let path = format!("{}{}", address.path().trim_end_matches('/'), request.path());
    // A base without a host cannot have these; then it has no path either.
    let _ = (address.set_username(""), address.set_password(None));
    address.set_fragment(None);
    address.set_path(&path);
    match request.query_as_it_came() {
        Some(query) => address.set_query(Some(query)),
        None if request.query_pairs().is_empty() => address.set_query(None),
        None => drop(address.query_pairs_mut().clear().extend_pairs(request.query_pairs())),
    }
    // `Url` folds `..` and encodes what does not belong into a path. Paths of ids hold nothing of the kind, so a
    // difference means that something else got in: better nothing is sent than a request to another resource.
    if address.path() != path || address.fragment().is_some() {
        return Err(ApiError::Unsendable(PathChanged(request.path().to_owned()).into()));
    }
    Ok(address)
}

/// Names what kept an answer from coming, or from coming whole when `status` has come. A connect timeout is a failure
/// to connect: dbt Cloud has seen nothing of the request.
fn without_answer(error: reqwest::Error, status: Option<StatusCode>) -> ApiError {
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
mod tests {
    use super::*;

    #[test]
    fn the_authorization_header_prints_no_token() {
        let header = authorization(ClientType::DbtCloudAdministrative, &"dbtc_sesame".into()).unwrap();
        assert_eq!(header, "Token dbtc_sesame");
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}
