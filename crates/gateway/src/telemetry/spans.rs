//! Spans on their way out: the layer that makes them of tracing's, the exporter that sends them by OTLP, and the headers
//! that name them to dbt Cloud. Without `tracing.otlp_endpoint` none of this is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::{TRACEPARENT, TRACESTATE, TraceContext, Upstream};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt as _, TraceFlags, TraceState, TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret as _;
use server::RequestSpans;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::settings::{self, Settings, set};

/// The spans that leave: a request's tree, and nothing that a library makes, least of all the exporter's own client.
const EXPORTED: [&str; 4] = ["http.request", "dbt.operation", "dbt.exchange", "db.request_log.write"];

/// Whether spans are exported at all.
pub(crate) fn exported(settings: &Settings) -> bool {
    set(&settings.tracing.otlp_endpoint).is_some()
}

/// The exporter at work. Dropped, it sends what has not been sent yet, for a while.
pub(crate) struct Spans {
    provider: SdkTracerProvider,
    patience: Duration,
}

impl Spans {
    /// `None`: no spans are exported. Not to be called within a runtime.
    pub(crate) fn start(settings: &settings::Tracing) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = set(&settings.otlp_endpoint) else {
            return Ok(None);
        };
        let timeout = Duration::from_secs(settings.export_timeout_secs);
        // A redirect could carry the headers to another host.
        let client = reqwest::blocking::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the HTTP client for spans could not be set up")?;
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(timeout)
            .with_headers(headers(settings.otlp_headers.expose_secret()).unwrap_or_default())
            .build()
            .context("spans cannot be exported")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue_spans)
            .with_max_export_batch_size(512)
            .with_scheduled_delay(Duration::from_millis(settings.export_interval_ms))
            .build();
        let processor = BatchSpanProcessor::builder(Watched {
            exporter,
            fails: AtomicBool::new(false),
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
        let patience = Duration::from_secs(settings.flush_secs);
        Ok(Some(Self { provider, patience }))
    }

    /// Makes spans of tracing's.
    pub(crate) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        let ours = |metadata: &tracing::Metadata<'_>| metadata.is_span() && EXPORTED.contains(&metadata.name());
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("dbt-gateway"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::DEBUG))
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.patience) {
            tracing::warn!(error = &error as &dyn std::error::Error, "not every span was exported");
        }
    }
}

/// `name=value, name=value`, the values percent-encoded where need be; `None` where it is not that.
pub(crate) fn headers(text: &str) -> Option<HashMap<String, String>> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let usable = HeaderName::try_from(name.trim()).is_ok() && HeaderValue::try_from(&*value).is_ok();
        usable.then(|| (name.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter_map(set).map(pair).collect()
}

/// Says when spans can no longer be exported, and when they can again: once each.
#[derive(Debug)]
struct Watched {
    exporter: OtlpExporter,
    fails: AtomicBool,
}

impl SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let failed_before = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed_before => tracing::warn!(
                error = error as &dyn std::error::Error,
                "spans are lost: they cannot be exported; said once, until they can be again"
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

/// Ties a request's span to the trace of its caller, and tells how it was answered.
#[derive(Debug)]
pub(crate) struct Tied;

impl RequestSpans for Tied {
    fn started(&self, span: &Span, caller: Option<&TraceContext>) {
        let Some(caller) = caller else {
            return;
        };
        let state: Option<TraceState> = caller.state().and_then(|state| state.parse().ok());
        let parent = SpanContext::new(
            caller.trace_id().into(),
            caller.span_id().into(),
            TraceFlags::default().with_sampled(caller.is_sampled()),
            true,
            state.unwrap_or_default(),
        );
        // It cannot fail but where the span is switched off.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }

    fn answered(&self, span: &Span, status: StatusCode) {
        span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

/// The way to dbt Cloud where spans are exported: each exchange's request names its span, and the span the request.
pub(crate) struct Traced(pub(crate) Arc<dyn WrappedApi>);

#[async_trait]
impl WrappedApi for Traced {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let request = named(&Span::current(), to, request);
        self.0.send(to, request).await
    }

    fn limits(&self) -> CollectLimits {
        self.0.limits()
    }
}

fn named(span: &Span, to: &Upstream, request: ApiRequest) -> ApiRequest {
    let base = to.base_url(request.api());
    span.set_attribute("http.request.method", request.method().as_str().to_owned());
    span.set_attribute("server.address", base.host_str().unwrap_or_default().to_owned());
    if let Some(port) = base.port_or_known_default() {
        span.set_attribute("server.port", i64::from(port));
    }
    let context = span.context();
    let span = context.span();
    let names = span.span_context();
    if !names.is_valid() {
        return request;
    }
    let sampled = u8::from(names.is_sampled());
    let parent = format!("00-{}-{}-{sampled:02x}", names.trace_id(), names.span_id());
    let state = names.trace_state().header();
    let request = match HeaderValue::try_from(parent) {
        Ok(parent) => request.header(TRACEPARENT, parent),
        Err(_) => request,
    };
    match HeaderValue::try_from(state) {
        Ok(state) if !state.is_empty() => request.header(TRACESTATE, state),
        _ => request,
    }
}
