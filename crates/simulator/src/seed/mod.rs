//! What a simulator starts with. `Acme` reads like a company; a plan is for tests that need numbers.

mod acme;
mod acme_jobs;
mod history;
mod objects;
mod plan;

pub use plan::AccountPlan;

use chrono::{DateTime, Utc};

use crate::call::Caller;
use crate::config::RunTiming;
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

/// Gives a token to an account, beside those it may have.
fn give_token(world: &mut World, token: &str, account_id: i64, user_id: Option<i64>) {
    let new = || Caller {
        accounts: Vec::new(),
        user_id,
        service_token_id: user_id.is_none().then_some(account_id),
    };
    let caller = world.tokens.entry(token.to_owned()).or_insert_with(new);
    if !caller.accounts.contains(&account_id) {
        caller.accounts.push(account_id);
    }
}
