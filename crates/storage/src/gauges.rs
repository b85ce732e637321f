//! Gauges of the connection pools and of the request log's queue.

use std::fmt;

use metric_families::{Gauges, Register as _};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;

use crate::database::Database;
use crate::metrics::StorageMetrics;
use crate::request_log::{LogQueue, RequestLogs};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Connections {
    pool: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    pool: &'static str,
}

impl StorageMetrics {
    /// Adds gauges that are read whenever the registry is collected.
    pub fn observe(registry: &mut Registry, database: &Database, reading: &RequestLogs, queue: &LogQueue) {
        let (database, reading) = (database.clone(), reading.clone());
        registry.collected(move |gauges| connections(gauges, &database, &reading));
        let queue = queue.clone();
        registry.collected(move |gauges| {
            gauges.gauge(
                "request_log_queue_depth",
                "Rows queued or reserved",
                as_amount(queue.rows().usage().used),
            )?;
            gauges.gauge(
                "request_log_queue_capacity",
                "Maximum of queued and reserved rows; requests beyond it are refused",
                as_amount(queue.rows().usage().capacity),
            )
        });
    }
}

fn connections(gauges: &mut Gauges<'_>, database: &Database, reading: &RequestLogs) -> fmt::Result {
    let (mut open, mut maximum) = (Vec::new(), Vec::new());
    for (pool, connections) in [
        ("main", database.pool().inner()),
        ("log_reading", reading.pool().inner()),
    ] {
        let idle = connections.num_idle();
        let in_use = (connections.size() as usize).saturating_sub(idle);
        for (state, count) in [("idle", idle), ("in_use", in_use)] {
            open.push((Connections { pool, state }, as_gauge(count)));
        }
        maximum.push((Pool { pool }, i64::from(connections.options().get_max_connections())));
    }
    gauges.gauges("database_connections", "Connections to Postgres", &open)?;
    gauges.gauges("database_connections_max", "Maximum number of connections", &maximum)
}

fn as_amount(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
