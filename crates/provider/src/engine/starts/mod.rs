//! Starting a run exactly once: an attempt is stored before the POST, and a lost answer is resolved by looking for the run,
//! never by sending again.

mod active;
mod attempt;
mod dbt_clock;
mod job_lock;
mod look;
mod once;
mod renewal;
mod repeat;
mod resolve;
mod starter;

pub(crate) use active::{ActiveRuns, Considered, Decision, consider};
pub(crate) use attempt::{Subject, is_definite, marked};
pub(crate) use once::AfterLoss;
pub use repeat::first_answer_to;
pub(crate) use starter::{Starter, Starting};
