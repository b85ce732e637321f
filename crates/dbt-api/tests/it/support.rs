//! Shared by the tests: clients, upstreams, and a fake `WrappedApi`.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, DbtWrappedApi, HttpSettings, WrappedApi};
use model::{AccountId, Upstream, UpstreamSource};
use wiremock::{MockServer, Request};

pub(crate) const TOKEN: &str = "dbtc_sesame_4711";
pub(crate) const ACCOUNT: AccountId = AccountId(70_403_103_932_111);

/// The default limits, which no test waits for.
pub(crate) fn settings() -> HttpSettings {
    HttpSettings::default()
}

#[expect(clippy::needless_pass_by_value, reason = "the tests write them down in place")]
pub(crate) fn api_with(settings: HttpSettings) -> Arc<dyn WrappedApi> {
    // Fails if another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::new(DbtWrappedApi::new(&settings).unwrap())
}

pub(crate) fn api() -> Arc<dyn WrappedApi> {
    api_with(settings())
}

/// A timeout so short that the tests see whether it applies.
pub(crate) const TINY: Duration = Duration::from_millis(20);

pub(crate) fn upstream(admin_url: &str) -> Upstream {
    let admin_url: url::Url = admin_url.parse().unwrap();
    Upstream {
        source: UpstreamSource::Settings,
        name: "default".to_owned(),
        account_id: ACCOUNT,
        metadata_url: admin_url.clone(),
        semantic_layer_url: admin_url.clone(),
        admin_url,
        token: TOKEN.into(),
    }
}

/// The upstream of a mock server, with dbt Cloud's path.
pub(crate) fn at(server: &MockServer) -> Upstream {
    upstream(&format!("{}/api", server.uri()))
}

/// The one request that arrived.
pub(crate) async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1, "one call is one exchange");
    requests.remove(0)
}

/// The error with its causes, as in a log line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// A fake API that returns one answer, or never answers.
pub(crate) struct Fake(Mutex<Option<ApiAnswer>>);

impl Fake {
    pub(crate) fn answering(answer: ApiAnswer) -> Arc<dyn WrappedApi> {
        Arc::new(Self(Mutex::new(Some(answer))))
    }

    pub(crate) fn silent() -> Arc<dyn WrappedApi> {
        Arc::new(Self(Mutex::new(None)))
    }
}

#[async_trait]
impl WrappedApi for Fake {
    async fn send(&self, _to: &Upstream, _request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let answer = self.0.lock().unwrap().take();
        match answer {
            Some(answer) => Ok(answer),
            None => std::future::pending().await,
        }
    }
}
