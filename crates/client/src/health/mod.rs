//! Whether the process can serve requests: `/readyz`.

mod checks;
mod signals;

pub use checks::Check;
pub(crate) use checks::{HealthChecks, HealthParts};
pub use signals::{DiskCheck, HealthSignals, PartitionsAhead};
