//! Hands a caller's trace context on to dbt Cloud, with every exchange of its request.

use std::sync::Arc;

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::{TraceContext, Upstream};

/// The way to dbt Cloud for a request that belongs to a trace.
pub(crate) fn carrying(api: &Arc<dyn WrappedApi>, trace: Option<&Arc<TraceContext>>) -> Arc<dyn WrappedApi> {
    match trace {
        None => Arc::clone(api),
        Some(trace) => Arc::new(WithTraceContext {
            api: Arc::clone(api),
            trace: Arc::clone(trace),
        }),
    }
}

struct WithTraceContext {
    api: Arc<dyn WrappedApi>,
    trace: Arc<TraceContext>,
}

#[async_trait]
impl WrappedApi for WithTraceContext {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let carries = |request: ApiRequest, (name, value)| request.header(name, value);
        self.api.send(to, self.trace.headers().fold(request, carries)).await
    }

    fn limits(&self) -> CollectLimits {
        self.api.limits()
    }
}
