//! The accounts that a simulator starts with.

mod acme;
mod acme_jobs;
mod acme_warehouse;
mod history;
mod objects;
mod plan;

pub use plan::AccountPlan;

use chrono::{DateTime, Utc};

use crate::timing::RunTiming;
use crate::world::World;

/// The state at the start.
#[derive(Clone, Debug, Default)]
pub enum Seed {
    /// Two accounts with projects, jobs and a history of runs: see [`crate::acme`] and [`crate::globex`].
    #[default]
    Acme,
    /// Accounts of a given size.
    Plan(Vec<AccountPlan>),
    /// No account: every token is refused.
    Empty,
}

impl Seed {
    /// One account of a given size.
    pub fn account(plan: AccountPlan) -> Self {
        Self::Plan(vec![plan])
    }
}

pub(crate) fn grow(seed: &Seed, now: DateTime<Utc>, timing: &RunTiming) -> World {
    let mut world = World::new();
    match seed {
        Seed::Acme => acme::grow(&mut world, now, timing),
        Seed::Plan(plans) => {
            for plan in plans {
                plan::grow(&mut world, plan, now, timing);
            }
        }
        Seed::Empty => {}
    }
    world
}
