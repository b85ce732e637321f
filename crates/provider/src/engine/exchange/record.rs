//! The record of one exchange: in the row, in the metrics, in its span.

use std::sync::Arc;
use std::time::Instant;

use dbt_api::ApiError;
use http::StatusCode;
use tracing::{Span, field};

use super::request_api::{Asked, RequestApi};
use crate::exchanges::{ExchangeIndex, Why};

/// An exchange that was sent. Dropped after its answer began, it ends with that status.
pub(super) struct Recorded {
    request: Arc<RequestApi>,
    asked: Asked,
    why: Why,
    index: ExchangeIndex,
    start: Instant,
    span: Span,
    status: Option<StatusCode>,
    has_ended: bool,
}

impl Recorded {
    pub(super) fn begin(request: &Arc<RequestApi>, asked: Asked, why: Why, resends: u32) -> Self {
        let now = request.clock.now();
        Self {
            index: request.exchanges.begin(asked.account, asked.operation, why, now),
            request: Arc::clone(request),
            asked,
            why,
            start: Instant::now(),
            span: span(asked, why, resends),
            status: None,
            has_ended: false,
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The answer has begun.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// The answer was read, or did not come.
    pub(super) fn end(mut self, status: Option<StatusCode>, error: Option<&ApiError>) {
        self.record(status, error);
    }

    fn record(&mut self, status: Option<StatusCode>, error: Option<&ApiError>) {
        self.has_ended = true;
        let duration = self.start.elapsed();
        self.request.exchanges.end(self.index, duration, status, error);
        self.request
            .metrics
            .record_exchange(self.asked.operation, self.why, duration, status, error);
        if self.span.is_disabled() {
            return;
        }
        if let Some(status) = status {
            self.span.record("http.response.status_code", status.as_u16());
        }
        if let Some(error) = error {
            self.span.record("error.type", error.name());
        }
        // An answer that is passed on is no error with any status.
        let refused = status.is_some_and(|status| status.is_client_error() || status.is_server_error());
        if error.is_some() || refused {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.has_ended && self.status.is_some() {
            self.record(self.status, None);
        }
    }
}

/// The span of one exchange; the layer that sends it adds method and address.
fn span(asked: Asked, why: Why, resends: u32) -> Span {
    tracing::debug_span!(
        "dbt.exchange",
        otel.kind = "client",
        otel.status_code = field::Empty,
        dbt.operation = asked.operation.as_str(),
        dbt.why = why.as_str(),
        http.request.resend_count = (resends > 0).then_some(resends),
        http.response.status_code = field::Empty,
        "error.type" = field::Empty,
    )
}
