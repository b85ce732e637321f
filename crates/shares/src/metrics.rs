//! The gauges of shared resources.

use metric_families::Register as _;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;

use crate::shares::Shares;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    resource: &'static str,
}

impl Shares {
    /// Adds gauges of these resources, read whenever the registry is collected.
    pub fn observe(registry: &mut Registry, resources: Vec<Self>) {
        registry.collected(move |gauges| {
            let (mut used, mut capacity, mut refused) = (Vec::new(), Vec::new(), Vec::new());
            for shares in &resources {
                let labels = Labels {
                    resource: shares.resource().name,
                };
                let usage = shares.usage();
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
}

fn whole(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
