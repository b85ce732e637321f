//! Layer 0: families of counters, histograms and gauges for the `metrics.rs` of each layer.
//!
//! The binary creates one registry, in which every layer registers its families. Labels are structs deriving
//! `EncodeLabelSet` whose fields are enums or `&'static str`, never a company, a path or an id, so that callers cannot
//! create series.

use std::fmt;
use std::hash::Hash;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

/// The prefix of every metric name.
pub const METRICS_PREFIX: &str = "dbt_gateway";

/// The content type of [`exposition`].
pub const EXPOSITION_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counters, one for each label set.
pub type Counters<S> = Family<S, Counter>;

/// Histograms of seconds, one for each label set.
pub type Durations<S> = Family<S, Histogram, fn() -> Histogram>;

/// A histogram of seconds: from the fastest answers out of the gateway's own records to the longest timeout for dbt Cloud.
pub fn durations() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
    ])
}

/// Registers metrics with their help texts. Help texts have no full stop: the format adds it.
pub trait Register {
    /// A metric or a family of them. The format adds `_total` to the names of counters.
    fn register_metric<M: EncodeMetric + Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        name: &str,
        help: &str,
        metric: &M,
    );

    /// As [`Self::register_metric`], in seconds: the format adds `_seconds` to the name.
    fn register_seconds<M: EncodeMetric + Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        name: &str,
        help: &str,
        metric: &M,
    );

    /// Registers gauges that `collect` reads at each scrape.
    fn collected(&mut self, collect: impl Fn(&mut Gauges<'_>) -> fmt::Result + Send + Sync + 'static);
}

impl Register for Registry {
    fn register_metric<M: EncodeMetric + Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        name: &str,
        help: &str,
        metric: &M,
    ) {
        self.register(name, help, Announced(metric.clone()));
    }

    fn register_seconds<M: EncodeMetric + Clone + fmt::Debug + Send + Sync + 'static>(
        &mut self,
        name: &str,
        help: &str,
        metric: &M,
    ) {
        self.register_with_unit(name, help, Unit::Seconds, Announced(metric.clone()));
    }

    fn collected(&mut self, collect: impl Fn(&mut Gauges<'_>) -> fmt::Result + Send + Sync + 'static) {
        self.register_collector(Box::new(Collected(collect)));
    }
}

/// A family that appears in the exposition before it has a series, so that the metric names used in alerts can be checked.
#[derive(Debug)]
struct Announced<M>(M);

impl<M: EncodeMetric> EncodeMetric for Announced<M> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}

struct Collected<F>(F);

impl<F> fmt::Debug for Collected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl<F: Fn(&mut Gauges<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Collected<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut Gauges(encoder))
    }
}

/// Receives the values of one scrape.
pub struct Gauges<'e>(DescriptorEncoder<'e>);

impl fmt::Debug for Gauges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

impl Gauges<'_> {
    /// Writes one value.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn gauge<N: EncodeGaugeValue + Copy>(&mut self, name: &str, help: &str, value: N) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(
            self.0
                .encode_descriptor(name, &full_stop(help), None, gauge.metric_type())?,
        )
    }

    /// Writes several values, each with its labels.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn gauges<S: EncodeLabelSet, N: EncodeGaugeValue + Copy>(
        &mut self,
        name: &str,
        help: &str,
        values: &[(S, N)],
    ) -> fmt::Result {
        let kind = <ConstGauge<N> as TypedMetric>::TYPE;
        let mut family = self.0.encode_descriptor(name, &full_stop(help), None, kind)?;
        for (labels, value) in values {
            ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }

    /// Writes several counters that are kept elsewhere, each with its labels.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn counters<S: EncodeLabelSet>(&mut self, name: &str, help: &str, values: &[(S, u64)]) -> fmt::Result {
        let kind = <ConstCounter<u64> as TypedMetric>::TYPE;
        let mut family = self.0.encode_descriptor(name, &full_stop(help), None, kind)?;
        for (labels, value) in values {
            ConstCounter::new(*value).encode(family.encode_family(labels)?)?;
        }
        Ok(())
    }

    /// Writes a counter that is kept elsewhere, since the start of the process.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn counter(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(
            self.0
                .encode_descriptor(name, &full_stop(help), None, counter.metric_type())?,
        )
    }
}

/// The registry adds a full stop to help texts; collectors must do it themselves.
fn full_stop(help: &str) -> String {
    format!("{help}.")
}

/// All metrics of the registry in the Prometheus text format, with the content type [`EXPOSITION_TYPE`].
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::with_capacity(64 << 10);
    // Writing to a `String` always works.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

/// Implements `EncodeLabelValue` for a type with `as_str()`.
#[macro_export]
macro_rules! label_by_name {
    ($type:ty) => {
        impl ::prometheus_client::encoding::EncodeLabelValue for $type {
            fn encode(&self, encoder: &mut ::prometheus_client::encoding::LabelValueEncoder<'_>) -> ::std::fmt::Result {
                ::prometheus_client::encoding::EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    };
}

/// Increments the counter with these labels.
pub fn count<S: Clone + Hash + Eq>(counters: &Counters<S>, labels: &S) {
    counters.get_or_create(labels).inc();
}
