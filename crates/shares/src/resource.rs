//! The description of a resource, for problems, metrics and documentation.

/// A bounded resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// The label of the metrics.
    pub name: &'static str,
    /// What is shared, as a plural that problems show: "concurrent requests".
    pub what: &'static str,
    /// The setting of the capacity.
    pub setting: &'static str,
    /// Which levels have a share, outermost first.
    pub levels: &'static str,
    /// What happens to a request for which nothing is free.
    pub when_full: &'static str,
}
