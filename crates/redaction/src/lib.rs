//! Layer 0: secrets in texts and JSON are found by their form and by the name before them, and replaced by [`REDACTED`].
//!
//! Everything that is written to the request log, to standard error and to Sentry passes through here: a caller may have put
//! a secret anywhere. A text that is no secret may be replaced too; that does less harm than the reverse.

mod assignments;
mod forms;
mod json;
mod names;
mod spans;
mod texts;

pub use json::json;
pub use names::is_secret_name;
pub use spans::REDACTED;
pub use texts::{is_suspicious, text, tokens};

#[cfg(test)]
mod tests;
