//! The budget of requests to dbt Cloud, shared by all replicas: a row for each account and API, from which each process
//! takes slices by the database's clock.

mod ledger;
mod limits;
mod memory;
mod postgres;
mod slice;
mod usage;

pub use ledger::{BudgetKey, BudgetUse, RateLedger};
pub use limits::{BudgetLimits, LEASE};
pub use memory::MemoryRateLedger;
pub use postgres::PgRateLedger;
pub use slice::{BudgetReading, BudgetState, PerClass, PriorityClass, Slice};
