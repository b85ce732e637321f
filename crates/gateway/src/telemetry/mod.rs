//! Log lines, Sentry, and the spans that leave. All are process-wide, so they are set up here and nowhere below.

mod budget;
mod lines;
mod panics;
mod sentry;
pub(crate) mod spans;
#[cfg(test)]
mod tests;

use std::io::Stderr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use self::lines::Lines;
use self::sentry::Sentry;
use self::spans::Spans;
use crate::settings::{LogFormat, Settings};

/// Keeps telemetry alive; dropped, it sends what has not been sent yet.
pub(crate) struct Telemetry {
    lines: Lines<Stderr>,
    _sentry: Option<Sentry>,
    _spans: Option<Spans>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.lines.leave();
    }
}

/// Starts all of it. Call it once, before the runtime.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<Telemetry> {
    let sentry = Sentry::start(&settings.sentry);
    let spans = Spans::start(&settings.tracing)?;
    let filter: Targets = settings.log.filter.parse()?;
    let out = Lines::to(std::io::stderr());
    let lines = fmt::layer().with_writer(out.clone());
    let lines = match settings.log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
        LogFormat::Pretty => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(sentry.as_ref().map(Sentry::layer))
        .with(spans.as_ref().map(Spans::layer))
        .try_init()?;
    panics::log_panics();
    Ok(Telemetry {
        lines: out,
        _sentry: sentry,
        _spans: spans,
    })
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
