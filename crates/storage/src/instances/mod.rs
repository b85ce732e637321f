//! The gateway processes: their heartbeats, and closing the open rows of dead ones as `abandoned`.
//!
//! All times in the table are those of the database's clock; a process measures with its monotonic clock. A process whose
//! wall clock jumps is therefore never taken for dead.

mod heartbeat;
mod sweep;
mod table;

pub use heartbeat::Heartbeat;
pub use sweep::AbandonedSweep;
pub use table::Instances;
