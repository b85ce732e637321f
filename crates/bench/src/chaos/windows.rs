//! How long the parts of an attack are measured.

use std::time::Duration;

/// How long each part of an attack is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) before: Duration,
    /// From the start of the attack to its measurement.
    pub(crate) settle: Duration,
    pub(crate) during: Duration,
    pub(crate) after: Duration,
}

impl Windows {
    pub(crate) fn new(short: bool) -> Self {
        let seconds = |long, short_ms| {
            if short {
                Duration::from_millis(short_ms)
            } else {
                Duration::from_secs(long)
            }
        };
        Self {
            before: seconds(4, 1500),
            settle: seconds(3, 500),
            during: seconds(8, 2500),
            after: seconds(4, 1500),
        }
    }
}
