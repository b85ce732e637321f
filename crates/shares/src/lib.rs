//! Fair shares of bounded resources: requests in flight, queued rows, exchanges with dbt Cloud, bytes in memory.
//!
//! A resource has a capacity and is used by owners on several levels, such as a company and one of its keys. Each owner's
//! limit is a multiple of what is free on the level above it (a dynamic threshold, as switches share packet memory). So a
//! single key may use nine tenths of an idle resource; several busy owners converge to equal parts; and some is always free
//! for those who use nothing yet.

mod ledger;
mod owner;
mod resource;
mod share;
mod shares;
mod usage;
mod waiters;

pub use ledger::Exhausted;
pub use owner::{Label, Owner};
pub use resource::Resource;
pub use share::Share;
pub use shares::{Shares, Usage};
