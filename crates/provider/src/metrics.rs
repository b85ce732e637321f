//! What this floor counts: the exchanges with dbt Cloud, and the answers that are handed on piece by piece.

use std::time::Duration;

use http::StatusCode;
use metric_families::{Counters, Durations, Register as _, count, durations};
use model::RequestType;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::ApiError;
use crate::exchanges::Why;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchange {
    operation: &'static str,
    why: Why,
    /// `2xx` and its like; `none` where no answer came.
    status: &'static str,
    /// The error's name; `none` where there is none.
    error: &'static str,
}

metric_families::label_by_name!(Why);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

/// The families of this floor. The default ones are in no registry: they count, and nobody reads them.
#[derive(Debug, Clone)]
pub struct ProviderMetrics {
    exchanges: Counters<Exchange>,
    exchange_durations: Durations<Operation>,
    streams: Gauge,
}

impl Default for ProviderMetrics {
    fn default() -> Self {
        Self {
            exchanges: Counters::default(),
            exchange_durations: Durations::new_with_constructor(durations),
            streams: Gauge::default(),
        }
    }
}

impl ProviderMetrics {
    /// The families, in that registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_metric(
            "upstream_exchanges",
            "HTTP exchanges with dbt Cloud, each sending counted",
            &metrics.exchanges,
        );
        registry.register_seconds(
            "upstream_exchange_duration",
            "From sending a request to dbt Cloud to the end of its answer, or to the head of one that is handed on",
            &metrics.exchange_durations,
        );
        registry.register_metric(
            "streams_under_way",
            "Answers that are being handed on piece by piece",
            &metrics.streams,
        );
        metrics
    }

    /// An exchange has ended.
    pub(crate) fn exchanged(
        &self,
        operation: RequestType,
        why: Why,
        took: Duration,
        status: Option<StatusCode>,
        error: Option<&ApiError>,
    ) {
        let operation = operation.as_str();
        let exchange = Exchange {
            operation,
            why,
            status: status.map_or("none", class),
            error: error.map_or("none", ApiError::name),
        };
        count(&self.exchanges, &exchange);
        self.exchange_durations
            .get_or_create(&Operation { operation })
            .observe(took.as_secs_f64());
    }

    /// An answer is handed on piece by piece until that is dropped.
    pub(crate) fn stream(&self) -> Streaming {
        self.streams.inc();
        Streaming(self.streams.clone())
    }
}

/// One of the streams under way.
#[derive(Debug)]
pub(crate) struct Streaming(Gauge);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
