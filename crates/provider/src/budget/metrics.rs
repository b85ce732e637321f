//! The metrics of the budget, without company, account or key.

use std::time::Duration;

use metric_families::{Counters, Durations, Register as _, count, durations};
use model::ClientType;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use storage::{PriorityClass, Slice};

use super::bucket::Refusal;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    api: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    api: &'static str,
    class: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Leased {
    api: &'static str,
    /// `granted`, `empty` or `failed`.
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    api: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassOnly {
    class: &'static str,
}

/// The metrics of the budget. The default ones are not registered.
#[derive(Debug, Clone)]
pub struct BudgetMetrics {
    waits: Durations<Class>,
    refused: Counters<Refused>,
    leases: Counters<Leased>,
    cooldowns: Counters<Api>,
    cooling_down: Gauge,
    waiting: Family<ClassOnly, Gauge>,
}

impl Default for BudgetMetrics {
    fn default() -> Self {
        Self {
            waits: Durations::new_with_constructor(durations),
            refused: Counters::default(),
            leases: Counters::default(),
            cooldowns: Counters::default(),
            cooling_down: Gauge::default(),
            waiting: Family::default(),
        }
    }
}

impl BudgetMetrics {
    /// Creates the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register_seconds("budget_wait", "How long exchanges waited for budget", &metrics.waits);
        registry.register_metric(
            "budget_refused",
            "Exchanges not sent, since the budget was used up or cooling down, or could not be read",
            &metrics.refused,
        );
        registry.register_metric(
            "budget_leases",
            "Slices of the shared budget that this process asked for",
            &metrics.leases,
        );
        registry.register_metric(
            "budget_cooldowns",
            "Cooldowns that this process opened after a 429 of dbt Cloud",
            &metrics.cooldowns,
        );
        registry.register_metric(
            "budget_cooling_down",
            "Accounts and APIs that are cooling down, seen while this process uses any budget",
            &metrics.cooling_down,
        );
        registry.register_metric(
            "budget_waiting",
            "Exchanges that wait for budget, twice a second",
            &metrics.waiting,
        );
        metrics
    }

    pub(super) fn took(&self, api: ClientType, class: PriorityClass, wait: Duration, refusal: Option<&Refusal>) {
        let (api, class) = (api.as_str(), class.as_str());
        match refusal {
            None => {
                let waits = self.waits.get_or_create(&Class { api, class });
                waits.observe(wait.as_secs_f64());
            }
            Some(refusal) => {
                let reason = refusal.as_str();
                count(&self.refused, &Refused { api, class, reason });
            }
        }
    }

    pub(super) fn leased(&self, api: ClientType, slice: &Slice) {
        let result = if slice.granted.sum() > 0 { "granted" } else { "empty" };
        let api = api.as_str();
        count(&self.leases, &Leased { api, result });
    }

    pub(super) fn lease_failed(&self, api: ClientType) {
        let api = api.as_str();
        count(&self.leases, &Leased { api, result: "failed" });
    }

    pub(super) fn cooled_down(&self, api: ClientType) {
        count(&self.cooldowns, &Api { api: api.as_str() });
    }

    pub(super) fn set_cooldowns(&self, number: usize) {
        self.cooling_down.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// The waiting requests of each budget, by class.
    pub(super) fn set_waiting(&self, all: &[[usize; 3]]) {
        for (index, class) in PriorityClass::ALL.into_iter().enumerate() {
            let waiting: usize = all.iter().map(|each| each[index]).sum();
            let class = class.as_str();
            let gauge = self.waiting.get_or_create(&ClassOnly { class });
            gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
    }
}
