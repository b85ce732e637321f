//! Sends requests on connections of their own: a connection that did not process a request is closing, and a new one that
//! others share may reach its last stream too.

use std::sync::Arc;

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::Upstream;
use shares::Exhausted;

/// The API that opens a connection for each exchange.
pub(crate) fn on_fresh_connection(api: &Arc<dyn WrappedApi>) -> Arc<dyn WrappedApi> {
    Arc::new(OnFreshConnection(Arc::clone(api)))
}

struct OnFreshConnection(Arc<dyn WrappedApi>);

#[async_trait]
impl WrappedApi for OnFreshConnection {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        self.0.send(to, request.on_fresh_connection()).await
    }

    fn limits(&self) -> CollectLimits {
        self.0.limits()
    }

    fn keep_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.0.keep_bytes(bytes)
    }
}
