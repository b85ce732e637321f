//! A panic is one line of the level `ERROR`, in the span of the request it happened in.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;

/// The target of that line.
pub(super) const TARGET: &str = "panic";

/// The longest text of a panic that is told, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// From now on panics are lines of the log, whoever catches them.
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
