//! Latency histogram from 1 µs to 1 min, exact to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;

#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        let bounds = Histogram::new_with_bounds(1_000, 60_000_000_000, 3);
        Self(bounds.expect("a minute is more than a microsecond"))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0
            .saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds; `percentile` is 0 to 100.
    #[expect(clippy::cast_precision_loss, reason = "a minute in nanoseconds fits an f64")]
    pub(crate) fn percentile_ms(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_match_the_recorded_values() {
        let mut latencies = Latencies::new();
        for ms in 1..=1000 {
            latencies.record(Duration::from_millis(ms));
        }
        assert_eq!(latencies.count(), 1000);
        for (percentile, ms) in [(50.0, 500.0), (99.0, 990.0), (100.0, 1000.0)] {
            let measured = latencies.percentile_ms(percentile);
            assert!((measured / ms - 1.0).abs() < 0.002, "{percentile}: {measured}");
        }
    }

    #[test]
    fn values_outside_the_bounds_are_counted() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::from_hours(1));
        assert_eq!(latencies.count(), 2);
        assert!(latencies.percentile_ms(100.0) >= 60_000.0);
    }
}
