//! Log lines and Sentry. Both are process-wide, so they are set up here and nowhere below.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use sentry::integrations::tracing::{BreadcrumbLayer, ErrorLayer};
use sentry::protocol::{Context, Event};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{LogFormat, Settings, set};

/// Keeps Sentry's transport alive.
pub(crate) struct Telemetry {
    sentry: Option<sentry::ClientInitGuard>,
}

impl Drop for Telemetry {
    /// Sends what Sentry has not been sent yet, for at most two seconds.
    fn drop(&mut self) {
        if let Some(sentry) = self.sentry.take() {
            sentry.flush(Some(Duration::from_secs(2)));
            // Dropped, it would wait for its thread, and that for a Sentry that may never answer.
            std::mem::forget(sentry);
        }
    }
}

/// Starts both. Call it once, before the runtime.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<Telemetry> {
    let sentry = set(settings.sentry.dsn.expose_secret()).map(|dsn| {
        sentry::init((
            dsn,
            sentry::ClientOptions::new()
                .release(concat!("dbt-gateway@", env!("CARGO_PKG_VERSION")))
                .environment(settings.sentry.environment.clone())
                .send_default_pii(false)
                .before_send(|event| Some(tagged(event))),
        ))
    });
    // Sentry hears what a person must act on, and as breadcrumbs what came before it. Never its own client's lines.
    let ours = |metadata: &tracing::Metadata<'_>| !metadata.target().starts_with("sentry");
    let errors = sentry.is_some().then(|| {
        ErrorLayer::new()
            .enable_span_attributes()
            .with_filter(LevelFilter::ERROR)
            .with_filter(filter_fn(ours))
    });
    let breadcrumbs = sentry.is_some().then(|| {
        BreadcrumbLayer::new().with_filter(filter_fn(move |metadata| {
            ours(metadata) && matches!(*metadata.level(), Level::WARN | Level::INFO)
        }))
    });
    let filter = EnvFilter::try_new(&settings.log.filter)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Pretty => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(errors)
        .with(breadcrumbs)
        .try_init()?;
    Ok(Telemetry { sentry })
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

/// The last word of a command that failed: the error and its causes, one line each.
#[expect(
    clippy::print_stderr,
    reason = "a command that fails before there is a log still says why"
)]
pub(crate) fn complain(error: &anyhow::Error) {
    let mut said = error.to_string();
    eprintln!("dbt-gateway: {said}");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some libraries repeat their cause.
        if !said.contains(&cause) {
            eprintln!("  because: {cause}");
        }
        said = cause;
    }
}
