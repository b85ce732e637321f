//! A panic is one log line of level `ERROR`, in the span of its request.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// The target of the line.
pub(super) const TARGET: &str = "panic";

/// Longer panic texts are cut, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// Logs every panic, including caught ones.
pub(super) fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(&backtrace);
        tracing::error!(
            target: TARGET,
            {
                panic.location = location,
                panic.text = text(info.payload()),
                panic.backtrace = backtrace.map(tracing::field::display),
            },
            "the gateway panicked"
        );
    }));
}

fn text(payload: &dyn Any) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect()
}
