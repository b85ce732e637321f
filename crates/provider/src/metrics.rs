//! The metrics of this layer: exchanges with dbt Cloud, streamed answers, shared resources.

use std::time::Duration;

use http::StatusCode;
use metric_families::{Counters, Durations, Register as _, count, durations};
use model::{RequestType, ServedFrom};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use shares::Shares;

use crate::ApiError;
use crate::exchanges::Why;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchange {
    operation: &'static str,
    why: Why,
    /// The class, such as `2xx`; `none` without an answer.
    status: &'static str,
    /// The error's name; `none` without an error.
    error: &'static str,
}

metric_families::label_by_name!(Why);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SharedAnswer {
    operation: &'static str,
    from: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

/// The metrics of this layer. The default ones are not registered.
#[derive(Debug, Clone)]
pub struct ProviderMetrics {
    exchanges: Counters<Exchange>,
    exchange_durations: Durations<Operation>,
    shared: Counters<SharedAnswer>,
    streams: Gauge,
}

impl Default for ProviderMetrics {
    fn default() -> Self {
        Self {
            exchanges: Counters::default(),
            exchange_durations: Durations::new_with_constructor(durations),
            shared: Counters::default(),
            streams: Gauge::default(),
        }
    }
}

impl ProviderMetrics {
    /// Creates the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_metric(
            "upstream_exchanges",
            "HTTP exchanges with dbt Cloud, retries included",
            &metrics.exchanges,
        );
        registry.register_seconds(
            "upstream_exchange_duration",
            "From sending a request to dbt Cloud to the end of its answer, or to the head of a streamed one",
            &metrics.exchange_durations,
        );
        registry.register_metric(
            "shared_answers",
            "Operations that another request's exchange or a kept answer answered",
            &metrics.shared,
        );
        registry.register_metric("streams_under_way", "Streamed answers in progress", &metrics.streams);
        metrics
    }

    /// Records an ended exchange.
    pub(crate) fn record_exchange(
        &self,
        operation: RequestType,
        why: Why,
        duration: Duration,
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
            .observe(duration.as_secs_f64());
    }

    /// Counts an operation for which nothing was sent.
    pub(crate) fn count_shared(&self, operation: RequestType, from: ServedFrom) {
        let (operation, from) = (operation.as_str(), from.as_str());
        count(&self.shared, &SharedAnswer { operation, from });
    }

    /// Counts a streamed answer until the guard is dropped.
    pub(crate) fn stream(&self) -> StreamGuard {
        self.streams.inc();
        StreamGuard(self.streams.clone())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SharedResource {
    resource: &'static str,
}

/// Adds gauges of shared resources, read whenever the registry is collected.
pub fn observe_shares(registry: &mut Registry, resources: Vec<Shares>) {
    registry.collected(move |gauges| {
        let (mut used, mut capacity, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for shares in &resources {
            let usage = shares.usage();
            let labels = SharedResource {
                resource: shares.resource().name,
            };
            used.push((labels.clone(), whole(usage.used)));
            capacity.push((labels.clone(), whole(usage.capacity)));
            refused.push((labels, usage.refused));
        }
        gauges.gauges("shared_resource_used", "How much of a shared resource is in use", &used)?;
        gauges.gauges(
            "shared_resource_capacity",
            "How much of a shared resource there is",
            &capacity,
        )?;
        gauges.counters(
            "shared_resource_refused",
            "Requests refused because a share was used up",
            &refused,
        )
    });
}

/// As the type of a gauge.
pub(crate) fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[derive(Debug)]
pub(crate) struct StreamGuard(Gauge);

impl Drop for StreamGuard {
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
