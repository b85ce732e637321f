//! The state of the double: accounts with their tables and runs, and the tokens that open them. Nothing here knows
//! HTTP.

mod account;
mod ids;
mod script;

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub(crate) use account::{Account, Kind};
pub(crate) use ids::Ids;
pub(crate) use script::Failure;
pub use script::{JobOutcome, JobScript};

use crate::call::{Call, Caller};
use crate::config::RunTiming;
use crate::graphql::SemanticQuery;
use crate::reply::Refusal;
use crate::switches::Switches;
use crate::webhooks::Event;

/// A stored object: the fields as dbt names them.
pub(crate) type Doc = Map<String, Value>;

/// All accounts of one simulator.
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

    /// The account in the path, if the caller's token is good for it.
    pub(crate) fn account(&mut self, call: &Call) -> Result<&mut Account, Refusal> {
        let id = call.id("account_id")?;
        if !call.caller.accounts.contains(&id) {
            return Err(Refusal::not_found());
        }
        self.accounts.get_mut(&id).ok_or_else(Refusal::not_found)
    }

    /// The accounts the caller's token is good for.
    pub(crate) fn accounts_of<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Account> {
        caller.accounts.iter().filter_map(|id| self.accounts.get(id))
    }

    pub(crate) fn remember_query(&mut self, query: SemanticQuery) {
        if self.semantic_queries.len() == SEMANTIC_QUERY_LIMIT {
            self.semantic_queries.pop_front();
        }
        self.semantic_queries.push_back(query);
    }

    /// Finds the account that holds this job, for the control endpoint and the handle, which know no token.
    pub(crate) fn account_with_job(&mut self, job_id: i64) -> Option<&mut Account> {
        self.accounts
            .values_mut()
            .find(|account| account.get(Kind::Jobs, job_id).is_some())
    }

    /// Lets every account take notice of what has happened by `now`.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>, timing: &RunTiming, switches: &Switches) {
        for account in self.accounts.values_mut() {
            account.settle(now, timing, switches);
        }
    }

    /// The events nobody has begun to deliver yet.
    pub(crate) fn take_outbox(&mut self) -> Vec<Event> {
        self.accounts
            .values_mut()
            .flat_map(|account| std::mem::take(&mut account.hooks.outbox))
            .collect()
    }

    /// Whether an event waits to be delivered.
    pub(crate) fn has_news(&self) -> bool {
        self.accounts.values().any(|account| !account.hooks.outbox.is_empty())
    }

    /// When something happens by itself next.
    pub(crate) fn next_change(&self) -> Option<DateTime<Utc>> {
        self.accounts.values().filter_map(Account::next_change).min()
    }
}
