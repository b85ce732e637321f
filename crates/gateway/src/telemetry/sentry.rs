//! Sentry: hears what a person must act on, which is every line of the level `ERROR`, tagged with the request it is
//! about. No more than so many a minute: an outage is told by its first events as well as by all of them.

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

use super::budget::Budget;
use super::panics;
use crate::settings::{self, set};

const MINUTE: Duration = Duration::from_mins(1);
/// The fields of a request's span that become tags, by which Sentry finds events.
const TAGS: [&str; 3] = ["request.uuid", "request.type", "company.id"];
/// Where Sentry's own layer puts the fields of a line.
const FIELDS: &str = "Rust Tracing Fields";

/// Keeps Sentry's transport alive.
pub(crate) struct Sentry {
    client: Option<::sentry::ClientInitGuard>,
    budget: Arc<Budget>,
    /// Dropped, it ends the thread that counts the minutes.
    _minutes: mpsc::Sender<()>,
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
            .before_send(|event| Some(tagged(event)));
        let budget = Arc::new(Budget::new(settings.max_events_per_minute));
        let (minutes, ended) = mpsc::channel();
        let counted = Arc::clone(&budget);
        thread::spawn(move || {
            while ended.recv_timeout(MINUTE) == Err(RecvTimeoutError::Timeout) {
                tell_of_unsent(counted.refill());
            }
        });
        Some(Self {
            client: Some(::sentry::init((dsn, options))),
            budget,
            _minutes: minutes,
        })
    }

    /// Makes an event of each line of the level `ERROR`, Sentry's own excepted.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let events = Events {
            errors: ErrorLayer::new(),
            budget: Arc::clone(&self.budget),
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
    /// Sends what has not been sent yet, for at most two seconds.
    fn drop(&mut self) {
        tell_of_unsent(self.budget.refill());
        if let Some(client) = self.client.take() {
            client.flush(Some(Duration::from_secs(2)));
            // Dropped, it would wait for its thread, and that for a Sentry that may never answer.
            std::mem::forget(client);
        }
    }
}

fn tell_of_unsent(events: u64) {
    if events > 0 {
        tracing::warn!(
            events,
            "events were not sent to Sentry: more came in a minute than sentry.max_events_per_minute"
        );
    }
}

struct Events {
    errors: ErrorLayer,
    budget: Arc<Budget>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Events {
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
        if !self.budget.take() {
            return;
        }
        let mut tags = Vec::new();
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(Tags(of_span)) = span.extensions().get() {
                tags.extend(of_span.iter().cloned());
            }
        }
        let is_panic = event.metadata().target() == panics::TARGET;
        let tell = |scope: &mut ::sentry::Scope| {
            for (name, value) in &tags {
                scope.set_tag(name, value);
            }
            if is_panic {
                scope.add_event_processor(|event| Some(of_panic(event)));
            }
        };
        ::sentry::with_scope(tell, || self.errors.on_event(event, ctx));
    }
}

/// What a span tells of [`TAGS`].
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

/// Where a panic happened. Its text stays in our log: it may quote what was worked on.
fn of_panic(mut event: Event<'static>) -> Event<'static> {
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

/// A line outside of its request's span may name the request itself.
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
