//! Sentry: every log line of level `ERROR` is an event, tagged with its request. Events per minute are limited, since
//! the first ones already report an outage.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sentry::integrations::backtrace::current_stacktrace;
use sentry::integrations::tracing::ErrorLayer;
use sentry::protocol::{Context as Fields, Event, Exception, Mechanism};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::event_quota::EventQuota;
use super::panics;
use crate::settings::{self, set};

const MINUTE: Duration = Duration::from_mins(1);
/// The fields of a request's span that become tags, which Sentry can search.
const TAGS: [&str; 3] = ["request.uuid", "request.type", "company.id"];
/// The context in which Sentry's layer stores the fields of a line.
const FIELDS: &str = "Rust Tracing Fields";

/// Keeps Sentry's transport alive.
pub(crate) struct Sentry {
    client: Option<::sentry::ClientInitGuard>,
    quota: Arc<EventQuota>,
    /// Dropped, it ends the thread that refills the quota.
    _refill: mpsc::Sender<()>,
}

impl Sentry {
    /// `None` without a DSN.
    pub(crate) fn start(settings: &settings::Sentry) -> Option<Self> {
        let dsn = set(settings.dsn.expose_secret())?;
        let options = ::sentry::ClientOptions::new()
            .release(concat!("dbt-gateway@", env!("CARGO_PKG_VERSION")))
            .environment(settings.environment.clone())
            .sample_rate(f32::from(settings.sample_percent) / 100.0)
            .send_default_pii(false)
            .before_send(|event| Some(without_secrets(tagged(event))));
        let quota = Arc::new(EventQuota::new(settings.max_events_per_minute));
        let (refill, ended) = mpsc::channel();
        let refilled = Arc::clone(&quota);
        thread::spawn(move || {
            while ended.recv_timeout(MINUTE) == Err(RecvTimeoutError::Timeout) {
                log_refused(refilled.refill());
            }
        });
        Some(Self {
            client: Some(::sentry::init((dsn, options))),
            quota,
            _refill: refill,
        })
    }

    /// Turns each line of level `ERROR` into an event, except Sentry's own.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let events = EventLayer {
            errors: ErrorLayer::new(),
            quota: Arc::clone(&self.quota),
        };
        let wanted = |metadata: &Metadata<'_>| {
            if metadata.is_span() {
                metadata.name() == "http.request"
            } else {
                *metadata.level() == Level::ERROR && !metadata.target().starts_with("sentry")
            }
        };
        events.with_filter(filter_fn(wanted).with_max_level_hint(LevelFilter::INFO))
    }
}

impl Drop for Sentry {
    /// Sends the queued events within two seconds.
    fn drop(&mut self) {
        log_refused(self.quota.refill());
        if let Some(client) = self.client.take() {
            client.flush(Some(Duration::from_secs(2)));
            // Its drop would wait for its thread, which may wait for an answer without a timeout.
            std::mem::forget(client);
        }
    }
}

fn log_refused(events: u64) {
    if events > 0 {
        tracing::warn!(
            events,
            "events were not sent to Sentry: sentry.max_events_per_minute was exceeded"
        );
    }
}

struct EventLayer {
    errors: ErrorLayer,
    quota: Arc<EventQuota>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for EventLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut tags = Tags::default();
            attributes.record(&mut tags);
            span.extensions_mut().insert(tags);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(tags) = span.extensions_mut().get_mut::<Tags>()
        {
            values.record(tags);
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, ctx: Context<'_, S>) {
        if !self.quota.take() {
            return;
        }
        let mut tags = Vec::new();
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(Tags(span_tags)) = span.extensions().get() {
                tags.extend(span_tags.iter().cloned());
            }
        }
        let is_panic = event.metadata().target() == panics::TARGET;
        let set_tags = |scope: &mut ::sentry::Scope| {
            for (name, value) in &tags {
                scope.set_tag(name, value);
            }
            if is_panic {
                scope.add_event_processor(|event| Some(as_panic(event)));
            }
        };
        ::sentry::with_scope(set_tags, || self.errors.on_event(event, ctx));
    }
}

/// The fields of a span that are in [`TAGS`].
#[derive(Default)]
struct Tags(Vec<(&'static str, String)>);

impl Visit for Tags {
    fn record_str(&mut self, field: &Field, value: &str) {
        if TAGS.contains(&field.name()) {
            self.0.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if TAGS.contains(&field.name()) {
            self.0.push((field.name(), format!("{value:?}")));
        }
    }
}

/// The event of a panic, with its location. The text is only logged, since it may quote a request.
fn as_panic(mut event: Event<'static>) -> Event<'static> {
    let mut value = None;
    if let Some(Fields::Other(fields)) = event.contexts.get_mut(FIELDS) {
        fields.remove("panic.text");
        fields.remove("panic.backtrace");
        value = fields
            .get("panic.location")
            .and_then(|at| Some(at.as_str()?.to_owned()));
    }
    let panic = Exception {
        ty: "panic".to_owned(),
        value,
        stacktrace: current_stacktrace(),
        mechanism: Some(Mechanism {
            ty: "panic".to_owned(),
            handled: Some(false),
            ..Mechanism::default()
        }),
        ..Exception::default()
    };
    event.exception = vec![panic].into();
    event
}

/// The event without the secrets that a text may quote.
fn without_secrets(mut event: Event<'static>) -> Event<'static> {
    let clean = |text: &mut String| {
        if let Cow::Owned(clean) = redaction::text(text) {
            *text = clean;
        }
    };
    event.message.iter_mut().for_each(clean);
    event
        .exception
        .iter_mut()
        .filter_map(|exception| exception.value.as_mut())
        .for_each(clean);
    event
        .breadcrumbs
        .iter_mut()
        .filter_map(|crumb| crumb.message.as_mut())
        .for_each(clean);
    event.tags.values_mut().for_each(clean);
    event.extra.values_mut().for_each(redaction::json);
    if let Some(Fields::Other(fields)) = event.contexts.get_mut(FIELDS) {
        fields.values_mut().for_each(redaction::json);
    }
    event
}

/// Adds tags from the line's fields, for a line outside of its request's span.
fn tagged(mut event: Event<'static>) -> Event<'static> {
    if let Some(Fields::Other(fields)) = event.contexts.get(FIELDS) {
        for name in TAGS {
            if let Some(value) = fields.get(name).and_then(|value| value.as_str()) {
                event.tags.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
    }
    event
}
