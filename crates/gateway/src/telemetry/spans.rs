//! Export of spans by OTLP, if `tracing.otlp_endpoint` is set.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use secrecy::ExposeSecret as _;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::settings::{self, Settings, header_list};

/// The exported spans: the tree of a request. Spans of libraries, including the exporter's HTTP client, are not exported.
const EXPORTED: [&str; 4] = ["http.request", "dbt.operation", "dbt.exchange", "db.request_log.write"];

pub(crate) fn are_exported(settings: &Settings) -> bool {
    settings.tracing.otlp_endpoint.0.is_some()
}

/// The running exporter. Dropped, it exports the queued spans within `tracing.flush_secs`.
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    flush_timeout: Duration,
}

impl Spans {
    /// `None` without an endpoint. Must not be called inside a tokio runtime.
    pub(crate) fn start(settings: &settings::Tracing) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.otlp_endpoint.0 else {
            return Ok(None);
        };
        let timeout = Duration::from_secs(settings.export_timeout_secs);
        // A redirect could send the headers to another host.
        let client = reqwest::blocking::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot create the HTTP client for spans")?;
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.0.as_str().trim_end_matches('/')))
            .with_timeout(timeout)
            .with_headers(header_list(settings.otlp_headers.expose_secret()).unwrap_or_default())
            .build()
            .context("spans cannot be exported")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_spans)
            .with_max_export_batch_size(512)
            .with_scheduled_delay(Duration::from_millis(settings.export_interval_ms))
            .build();
        let processor = BatchSpanProcessor::builder(LoggedExporter {
            exporter,
            is_failing: AtomicBool::new(false),
        })
        .with_batch_config(batches)
        .build();
        let sampler = Sampler::parent_based(Sampler::TraceIdRatioBased(f64::from(settings.sample_percent) / 100.0));
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(sampler)
            .with_resource(resource.build())
            .build();
        let flush_timeout = Duration::from_secs(settings.flush_secs);
        Ok(Some(Self {
            provider,
            flush_timeout,
        }))
    }

    /// Converts tracing's spans.
    pub(crate) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        let is_exported = |metadata: &tracing::Metadata<'_>| metadata.is_span() && EXPORTED.contains(&metadata.name());
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("dbt-gateway"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::DEBUG))
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.flush_timeout) {
            tracing::warn!(error = &error as &dyn std::error::Error, "not every span was exported");
        }
    }
}

/// Logs the first failure of a series, and the next success.
#[derive(Debug)]
struct LoggedExporter {
    exporter: OtlpExporter,
    is_failing: AtomicBool,
}

impl SpanExporter for LoggedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let failed_before = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed_before => tracing::warn!(
                error = error as &dyn std::error::Error,
                "spans are lost: the export failed; further failures are not logged until it succeeds"
            ),
            Ok(()) if failed_before => tracing::info!("spans are exported again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
