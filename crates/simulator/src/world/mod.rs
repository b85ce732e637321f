//! The state of the simulator: accounts with their tables and runs, and the tokens that give access to them. No HTTP.

mod account;
mod ids;
mod kind;
mod script;
mod semantic_query;

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, Utc};

pub(crate) use account::Account;
pub(crate) use ids::Ids;
pub(crate) use kind::Kind;
pub(crate) use script::Failure;
pub use script::{JobOutcome, JobScript};
pub(crate) use semantic_query::SemanticQuery;

use crate::call::{Call, Caller};
use crate::refusal::Refusal;
use crate::switches::Switches;
use crate::timing::RunTiming;
use crate::webhooks::Event;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<i64, Account>,
    pub(crate) tokens: HashMap<String, Caller>,
    /// Queries of the Semantic Layer, newest last, bounded.
    pub(crate) semantic_queries: VecDeque<SemanticQuery>,
    pub(crate) ids: Ids,
}

const SEMANTIC_QUERY_LIMIT: usize = 1_000;

impl World {
    pub(crate) fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
            tokens: HashMap::new(),
            semantic_queries: VecDeque::new(),
            ids: Ids::starting_at(70_403_110_000_000),
        }
    }

    /// The account in the path, if the caller's token gives access to it.
    pub(crate) fn account(&mut self, call: &Call) -> Result<&mut Account, Refusal> {
        let id = call.id("account_id")?;
        if !call.caller.accounts.contains(&id) {
            return Err(Refusal::not_found());
        }
        self.accounts.get_mut(&id).ok_or_else(Refusal::not_found)
    }

    pub(crate) fn accounts_of<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Account> {
        caller.accounts.iter().filter_map(|id| self.accounts.get(id))
    }

    /// Gives a token access to an account, besides those it has.
    pub(crate) fn give_token(&mut self, token: &str, account_id: i64, user_id: Option<i64>) {
        let new = || Caller {
            accounts: Vec::new(),
            user_id,
            service_token_id: user_id.is_none().then_some(account_id),
        };
        let caller = self.tokens.entry(token.to_owned()).or_insert_with(new);
        if !caller.accounts.contains(&account_id) {
            caller.accounts.push(account_id);
        }
    }

    /// The account of a user, among those of the caller.
    pub(crate) fn account_of_user(&mut self, caller: &Caller, user_id: i64) -> Result<&mut Account, Refusal> {
        let mut accounts = self.accounts.values_mut();
        let found = accounts
            .find(|account| caller.accounts.contains(&account.id) && account.get(Kind::Users, user_id).is_some());
        found.ok_or_else(Refusal::not_found)
    }

    pub(crate) fn add_query(&mut self, query: SemanticQuery) {
        if self.semantic_queries.len() == SEMANTIC_QUERY_LIMIT {
            self.semantic_queries.pop_front();
        }
        self.semantic_queries.push_back(query);
    }

    /// The account of a job, for the control endpoint and [`crate::Running`], which have no token.
    pub(crate) fn account_with_job(&mut self, job_id: i64) -> Option<&mut Account> {
        self.accounts
            .values_mut()
            .find(|account| account.get(Kind::Jobs, job_id).is_some())
    }

    /// Announces the events of every account up to `now`.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>, timing: &RunTiming, switches: &Switches) {
        for account in self.accounts.values_mut() {
            account.settle(now, timing, switches);
        }
    }

    pub(crate) fn take_outbox(&mut self) -> Vec<Event> {
        self.accounts
            .values_mut()
            .flat_map(|account| std::mem::take(&mut account.hooks.outbox))
            .collect()
    }

    pub(crate) fn has_events(&self) -> bool {
        self.accounts.values().any(|account| !account.hooks.outbox.is_empty())
    }

    /// The time of the next planned change, if there is one.
    pub(crate) fn next_change(&self) -> Option<DateTime<Utc>> {
        self.accounts.values().filter_map(Account::next_change).min()
    }
}
