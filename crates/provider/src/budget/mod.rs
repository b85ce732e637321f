//! The budget of requests to each account of dbt Cloud: every exchange takes one from it before it is sent.
//!
//! `storage` has the row that all replicas share; here a process takes slices from it and distributes them among its
//! waiting requests, by class and in turns between API keys.

mod bucket;
mod buckets;
mod cooldowns;
mod fair_queue;
mod lessor;
mod metrics;
mod paid;
mod rate_budget;
mod report;
mod request_budget;
mod settings;

pub use self::metrics::BudgetMetrics;
pub use self::paid::Paid;
pub use self::rate_budget::RateBudget;
pub use self::report::{BudgetReport, BudgetShares};
pub(crate) use self::request_budget::{RequestBudget, is_scim};
pub use self::settings::BudgetSettings;
