//! Sentry: hears what a person must act on, which is every line of the level `ERROR`.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use sentry::integrations::tracing::{BreadcrumbLayer, ErrorLayer};
use sentry::protocol::{Context, Event};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::settings::{self, set};

/// Keeps Sentry's transport alive.
pub(crate) struct Sentry(Option<::sentry::ClientInitGuard>);

impl Sentry {
    /// `None` without a DSN.
    pub(crate) fn start(settings: &settings::Sentry) -> Option<Self> {
        let dsn = set(settings.dsn.expose_secret())?;
        let options = ::sentry::ClientOptions::new()
            .release(concat!("dbt-gateway@", env!("CARGO_PKG_VERSION")))
            .environment(settings.environment.clone())
            .send_default_pii(false)
            .before_send(|event| Some(tagged(event)));
        Some(Self(Some(::sentry::init((dsn, options)))))
    }
}

impl Drop for Sentry {
    /// Sends what has not been sent yet, for at most two seconds.
    fn drop(&mut self) {
        if let Some(sentry) = self.0.take() {
            sentry.flush(Some(Duration::from_secs(2)));
            // Dropped, it would wait for its thread, and that for a Sentry that may never answer.
            std::mem::forget(sentry);
        }
    }
}

/// What a person must act on, and as breadcrumbs what came before it. Never the lines of Sentry's own client.
pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let ours = |metadata: &Metadata<'_>| !metadata.target().starts_with("sentry");
    let errors = ErrorLayer::new()
        .enable_span_attributes()
        .with_filter(LevelFilter::ERROR)
        .with_filter(filter_fn(ours));
    let breadcrumbs = BreadcrumbLayer::new().with_filter(filter_fn(move |metadata| {
        ours(metadata) && matches!(*metadata.level(), Level::WARN | Level::INFO)
    }));
    errors.and_then(breadcrumbs)
}

/// Sentry finds events by tag, so the request's name becomes one.
fn tagged(mut event: Event<'static>) -> Event<'static> {
    if let Some(Context::Other(fields)) = event.contexts.get("Rust Tracing Fields")
        && let Some(uuid) = fields.get("request.uuid").and_then(|value| value.as_str())
    {
        event.tags.insert("request.uuid".to_owned(), uuid.to_owned());
    }
    event
}
