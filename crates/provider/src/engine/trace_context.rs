//! Sends a caller's trace context to dbt Cloud with every exchange of its request.

use std::sync::Arc;

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::{TraceContext, Upstream};

/// The API that adds the trace headers to each exchange, where the request belongs to a trace.
pub(crate) fn with_trace_context(api: &Arc<dyn WrappedApi>, trace: Option<&Arc<TraceContext>>) -> Arc<dyn WrappedApi> {
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
        let add = |request: ApiRequest, (name, value)| request.header(name, value);
        self.api.send(to, self.trace.headers().fold(request, add)).await
    }

    fn limits(&self) -> CollectLimits {
        self.api.limits()
    }
}
