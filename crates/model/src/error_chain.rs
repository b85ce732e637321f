//! An error with its causes in one line, for rows and log lines.

use std::error::Error;

/// The error with its causes, outermost first, each after a colon.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
