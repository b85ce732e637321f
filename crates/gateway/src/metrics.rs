//! The one registry of the process, and what is measured of the process itself.

use std::fmt;
use std::future::IntoFuture as _;
use std::sync::Arc;

use anyhow::Context as _;
use client::RequestLogs;
use metric_families::{Gauges, METRICS_PREFIX, Register as _};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use provider::{LogQueue, ProviderMetrics};
use server::{Limits, ServerMetrics, metrics_router};
use storage::{Database, StorageMetrics};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::settings::{Settings, set};

/// Where the floors count.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) storage: Arc<StorageMetrics>,
    pub(crate) provider: Arc<ProviderMetrics>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        #[cfg(target_os = "linux")]
        registry.collected(process);
        let ours = registry.sub_registry_with_prefix(METRICS_PREFIX);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The program", build);
        Self {
            storage: Arc::new(StorageMetrics::register(ours)),
            provider: Arc::new(ProviderMetrics::register(ours)),
            registry,
        }
    }

    /// The server's, and the registry, which is complete with these.
    pub(crate) fn complete(
        mut self,
        database: &Database,
        reading: &RequestLogs,
        queue: &LogQueue,
        limits: &Arc<Limits>,
    ) -> (Arc<ServerMetrics>, Arc<Registry>) {
        let ours = self.registry.sub_registry_with_prefix(METRICS_PREFIX);
        StorageMetrics::observe(ours, database, reading, queue);
        let server = ServerMetrics::register(ours, limits);
        (Arc::new(server), Arc::new(self.registry))
    }
}

/// Serves the metrics at an address of their own, where one is set, until the handle is aborted.
pub(crate) async fn serve(settings: &Settings, registry: Arc<Registry>) -> anyhow::Result<Option<AbortHandle>> {
    let Some(address) = set(&settings.metrics.listen) else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (metrics.listen)"))?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics");
    let serving = axum::serve(listener, metrics_router(registry)).into_future();
    Ok(Some(tokio::spawn(serving).abort_handle()))
}

/// By the names that every program's process has.
#[cfg(target_os = "linux")]
fn process(gauges: &mut Gauges<'_>) -> fmt::Result {
    let Ok(now) = Process::now() else {
        // Without /proc there is nothing to tell.
        return Ok(());
    };
    gauges.counter(
        "process_cpu_seconds",
        "Time of processors, in user and system mode, that the process took",
        now.cpu_seconds,
    )?;
    gauges.gauge(
        "process_resident_memory_bytes",
        "Memory that is resident",
        now.resident_bytes,
    )?;
    gauges.gauge(
        "process_virtual_memory_bytes",
        "Memory that is addressed",
        now.virtual_bytes,
    )?;
    gauges.gauge("process_open_fds", "Open file descriptors", now.open_files)?;
    gauges.gauge("process_max_fds", "How many there may be", now.max_files)?;
    gauges.gauge("process_threads", "Threads of the system", now.threads)?;
    gauges.gauge(
        "process_start_time_seconds",
        "When the process began, in seconds since 1970",
        now.started_at,
    )
}

#[cfg(target_os = "linux")]
struct Process {
    cpu_seconds: f64,
    resident_bytes: i64,
    virtual_bytes: i64,
    open_files: i64,
    max_files: i64,
    threads: i64,
    started_at: f64,
}

#[cfg(target_os = "linux")]
impl Process {
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks stay far below the 53 bits that an f64 holds"
    )]
    fn now() -> procfs::ProcResult<Self> {
        let process = procfs::process::Process::myself()?;
        let stat = process.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let files = process.limits()?.max_open_files.soft_limit;
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            resident_bytes: whole(stat.rss * procfs::page_size()),
            virtual_bytes: whole(stat.vsize),
            open_files: i64::try_from(process.fd_count()?).unwrap_or(i64::MAX),
            max_files: match files {
                procfs::process::LimitValue::Value(files) => whole(files),
                procfs::process::LimitValue::Unlimited => i64::MAX,
            },
            threads: stat.num_threads,
            started_at: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
        })
    }
}
