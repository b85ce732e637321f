//! Reads and changes.

/// Whether a request changes something, at dbt Cloud or in the gateway's own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Only reads; may be retried.
    Read,
    /// Changes something; is sent at most once and runs to its end even if the caller disconnects.
    Change,
}
