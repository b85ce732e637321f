//! Log lines, Sentry and exported spans of the process.

mod event_quota;
mod log_writer;
mod panics;
mod sentry;
pub(crate) mod spans;
#[cfg(test)]
mod tests;
mod trace_context;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use self::sentry::Sentry;
use self::spans::Spans;
use crate::settings::{LogFormat, Settings};

pub(crate) use log_writer::dropped_lines;
pub(crate) use trace_context::{TraceLinker, TracedApi};

/// Dropped, it sends and writes what is queued. The log is last, since the others write to it.
pub(crate) struct Telemetry {
    _sentry: Option<Sentry>,
    _spans: Option<Spans>,
    _log: WorkerGuard,
}

/// Starts telemetry. Call it once, before the runtime.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<Telemetry> {
    let sentry = Sentry::start(&settings.sentry);
    let spans = Spans::start(&settings.tracing)?;
    let (writer, log) = log_writer::start_for_process(stderr());
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Pretty => lines.with_ansi(stderr().is_terminal()).boxed(),
    };
    let (filter, handle) = reload::Layer::new(settings.log.filter.0.clone());
    // Set already only in tests.
    let _ = FILTER.set(handle);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(sentry.as_ref().map(Sentry::layer))
        .with(spans.as_ref().map(Spans::layer))
        .try_init()?;
    panics::log_panics();
    Ok(Telemetry {
        _sentry: sentry,
        _spans: spans,
        _log: log,
    })
}

/// The filter of the process's log lines.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Replaces the filter of log lines, and returns its text.
pub(crate) fn set_filter(filter: &Targets) -> anyhow::Result<String> {
    let handle = FILTER.get().context("the log is not started")?;
    handle.reload(filter.clone())?;
    Ok(filter.to_string())
}

/// How long printing an error waits for the reader of standard error.
const PRINT_LIMIT: Duration = Duration::from_secs(2);

/// Prints why a command failed, without the log, which may not be started.
pub(crate) fn print_error(error: &anyhow::Error) {
    let text = error_text(error);
    let (done, printed) = mpsc::channel();
    // A thread, since a reader that stalls would block it; the process ends all the same.
    thread::spawn(move || {
        let _ = stderr().write_all(text.as_bytes());
        let _ = done.send(());
    });
    let _ = printed.recv_timeout(PRINT_LIMIT);
}

/// The error and its causes, a line each.
fn error_text(error: &anyhow::Error) -> String {
    let mut last = error.to_string();
    let mut text = format!("dbt-gateway: {last}\n");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some libraries repeat their cause.
        if !last.contains(&cause) {
            text.push_str("  because: ");
            text.push_str(&cause);
            text.push('\n');
        }
        last = cause;
    }
    text
}
