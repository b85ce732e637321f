//! [`DbtWrappedApi`]: connections, headers, timeouts. Only this file, `shards.rs`, `exchange_error.rs` and `guard.rs` use
//! `reqwest`.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use model::{ClientType, Upstream, UpstreamSource};
use reqwest::redirect;
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::dns::Dns;
use crate::exchange_error::exchange_error;
use crate::guard::{self, Guard};
use crate::http_settings::{BuildError, HttpSettings};
use crate::request_url::request_url;
use crate::shards::{Keep, Shards};
use crate::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi, tls};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The largest window of HTTP/2, in bytes.
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// dbt Cloud over HTTP. One per process: it holds the connections of all credentials.
#[derive(Debug)]
pub struct DbtWrappedApi {
    trusted: Connections,
    /// For stored credentials; `None` if they may use any address. Separate clients, so that they never reuse a connection
    /// opened by `trusted`.
    guarded: Option<Connections>,
    limits: CollectLimits,
}

/// Clients that decompress answers, and clients that pass them on unchanged.
#[derive(Debug)]
struct Connections {
    decoding: Shards,
    verbatim: Shards,
}

impl Connections {
    fn new(
        settings: &HttpSettings,
        make: impl Fn() -> reqwest::ClientBuilder + Clone + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let (places, idle) = (settings.max_streams_per_connection, settings.pool_max_idle_per_host);
        let age = settings.connection_max_age;
        let verbatim = make.clone();
        Ok(Self {
            decoding: Shards::new(places, idle, age, move |keep| build(make(), keep))?,
            verbatim: Shards::new(places, idle, age, move |keep| build(verbatim().no_gzip(), keep))?,
        })
    }

    fn of(&self, request: &ApiRequest) -> &Shards {
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
        let dns = Arc::new(Dns::of_system(settings.dns));
        Self::resolving(&Guard::public(dns.clone()), &Guard::none(dns), settings)
    }

    /// `guard` resolves the names of stored credentials, `anywhere` those of the settings.
    fn resolving(guard: &Guard, anywhere: &Guard, settings: &HttpSettings) -> Result<Self, BuildError> {
        let limits = CollectLimits {
            deadline: settings.deadline,
            max_body_bytes: settings.max_body_bytes,
        };
        let tls = tls::config(settings.extra_roots.as_deref())?;
        let make = |guard: &Guard| {
            let (guard, tls, settings) = (guard.clone(), tls.clone(), settings.clone());
            move || connections(&settings, tls.clone()).dns_resolver(guard.clone())
        };
        let guarded = if settings.allow_private_addresses {
            None
        } else {
            let make = make(guard);
            Some(Connections::new(settings, move || make().no_proxy())?)
        };
        let trusted = Connections::new(settings, make(anywhere))?;
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
fn connections(settings: &HttpSettings, tls: ClientConfig) -> reqwest::ClientBuilder {
    // What one stream has received and not read never uses up the connection's window.
    let streams = u32::try_from(settings.max_streams_per_connection).unwrap_or(u32::MAX);
    let window = settings.stream_window_bytes.saturating_mul(streams).min(MAX_WINDOW);
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .pool_idle_timeout(settings.pool_idle_timeout)
        .http2_initial_stream_window_size(settings.stream_window_bytes)
        .http2_initial_connection_window_size(window)
        .http2_keep_alive_interval(settings.keepalive_interval)
        .http2_keep_alive_timeout(settings.keepalive_timeout)
        // Otherwise the next request would find the dead connection.
        .http2_keep_alive_while_idle(true)
        .tcp_keepalive(settings.keepalive_interval)
        .tcp_user_timeout(settings.keepalive_timeout)
        .user_agent(&*settings.user_agent)
        // A redirect could carry the token to another host, or turn a POST into a GET.
        .redirect(redirect::Policy::none())
        // By default `reqwest` sends a refused HTTP/2 stream again; `provider` does that, so that it is recorded.
        .retry(reqwest::retry::never())
}

fn build(client: reqwest::ClientBuilder, keep: Keep) -> Result<reqwest::Client, BuildError> {
    let idle = match keep {
        Keep::Idle(count) => count,
        Keep::Nothing => 0,
    };
    let client = client.pool_max_idle_per_host(idle).build();
    client.map_err(|error| BuildError::Client(error.without_url().into()))
}

#[async_trait]
impl WrappedApi for DbtWrappedApi {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let url = request_url(to, &request)?;
        let shards = self.connections(to.source, &url)?.of(&request);
        let taken = if request.needs_fresh_connection() {
            shards.fresh().map(|client| (client, None))
        } else {
            shards.take(&url).map(|(client, place)| (client, Some(place)))
        };
        let (client, place) = taken.map_err(|error| ApiError::Unsendable(error.into()))?;
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
        let body = answer.bytes_stream().map_err(move |error| {
            // Given back when the body is dropped.
            let _held = &place;
            exchange_error(error, Some(status))
        });
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

#[cfg(test)]
mod tests;
