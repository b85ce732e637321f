//! The metrics registry of the process, the metrics of connections and of the log, and the standard process metrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use client::RequestLogs;
use metric_families::{Gauges, METRICS_PREFIX, Register as _};
#[cfg(target_os = "linux")]
use procfs::process::{LimitValue, Process};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use provider::{BudgetMetrics, DbtProvider, LogQueue, ProviderMetrics, observe_shares};
use server::ServerMetrics;
use shares::Shares;
use storage::{Database, StorageMetrics};

use super::connections::Counts;
use super::workers::WorkerMetrics;
use crate::telemetry;

/// The registry under construction, and the metrics of the lower layers.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) storage: Arc<StorageMetrics>,
    pub(crate) provider: Arc<ProviderMetrics>,
    pub(crate) budget: BudgetMetrics,
    pub(crate) connections: Arc<Counts>,
    pub(crate) workers: Arc<WorkerMetrics>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        #[cfg(target_os = "linux")]
        registry.collected(process_metrics);
        let gateway = registry.sub_registry_with_prefix(METRICS_PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        gateway.register("build", "The program", build);
        let connections = Arc::<Counts>::default();
        let counts = Arc::clone(&connections);
        gateway.collected(move |gauges| connection_metrics(&counts, gauges));
        gateway.collected(log_metrics);
        let workers = Arc::<WorkerMetrics>::default();
        let observed = Arc::clone(&workers);
        gateway.collected(move |gauges| observed.write(gauges));
        Self {
            storage: Arc::new(StorageMetrics::register(gateway)),
            provider: Arc::new(ProviderMetrics::register(gateway)),
            budget: BudgetMetrics::register(gateway),
            connections,
            workers,
            registry,
        }
    }

    /// Adds the metrics that need a running database, and those of the shared resources.
    pub(crate) fn complete(
        mut self,
        database: &Database,
        request_logs: &RequestLogs,
        (queue, provider): (&LogQueue, &DbtProvider),
        shared: Vec<Shares>,
    ) -> (Arc<ServerMetrics>, Arc<Registry>) {
        let gateway = self.registry.sub_registry_with_prefix(METRICS_PREFIX);
        StorageMetrics::observe(gateway, database, request_logs, queue);
        observe_shares(gateway, shared);
        provider.observe(gateway);
        let server = ServerMetrics::register(gateway);
        (Arc::new(server), Arc::new(self.registry))
    }
}

/// The log lines.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn log_metrics(gauges: &mut Gauges<'_>) -> fmt::Result {
    let help = "Log lines that were dropped because the reader of standard error was too slow";
    gauges.counter("log_lines_dropped", help, telemetry::dropped_lines() as f64)
}

/// The connections of callers.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn connection_metrics(counts: &Counts, gauges: &mut Gauges<'_>) -> fmt::Result {
    let open = counts.open.load(Ordering::Relaxed);
    let help = "Open connections of callers";
    gauges.gauge("connections", help, i64::try_from(open).unwrap_or(i64::MAX))?;
    for (name, help, count) in [
        (
            "connections_refused",
            "Connections that were refused at a limit",
            &counts.refused,
        ),
        (
            "connections_closed_for_room",
            "Connections that were closed to make room for new ones",
            &counts.made_room,
        ),
        (
            "connections_too_slow",
            "Connections that were closed because the caller was too slow",
            &counts.too_slow,
        ),
    ] {
        gauges.counter(name, help, count.load(Ordering::Relaxed) as f64)?;
    }
    Ok(())
}

/// The standard process metrics of Prometheus's client libraries; none without /proc.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "ticks and seconds stay far below 2^53")]
fn process_metrics(gauges: &mut Gauges<'_>) -> fmt::Result {
    let read = || {
        let process = Process::myself()?;
        let max_fds = process.limits()?.max_open_files.soft_limit;
        procfs::ProcResult::Ok((process.stat()?, max_fds, process.fd_count()?, procfs::boot_time_secs()?))
    };
    let Ok((stat, max_fds, open_fds, boot_time)) = read() else {
        return Ok(());
    };
    let ticks = procfs::ticks_per_second() as f64;
    let cpu_seconds = (stat.utime + stat.stime) as f64 / ticks;
    gauges.counter("process_cpu_seconds", "User and system CPU time", cpu_seconds)?;
    let started_at = boot_time as f64 + stat.starttime as f64 / ticks;
    let help = "Start time since 1970, in seconds";
    gauges.gauge("process_start_time_seconds", help, started_at)?;
    let max_fds = match max_fds {
        LimitValue::Value(limit) => limit,
        LimitValue::Unlimited => u64::MAX,
    };
    let resident = stat.rss * procfs::page_size();
    for (name, help, value) in [
        ("process_resident_memory_bytes", "Resident memory", resident),
        ("process_virtual_memory_bytes", "Virtual memory", stat.vsize),
        ("process_open_fds", "Open file descriptors", open_fds as u64),
        ("process_max_fds", "Limit of open file descriptors", max_fds),
        (
            "process_threads",
            "Operating system threads",
            stat.num_threads.unsigned_abs(),
        ),
    ] {
        gauges.gauge(name, help, i64::try_from(value).unwrap_or(i64::MAX))?;
    }
    Ok(())
}
