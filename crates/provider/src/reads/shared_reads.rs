//! The reads of this process.

use std::sync::Arc;
use std::time::Duration;

use dbt_api::ApiRequest;
use http::StatusCode;
use model::{Clock, RequestType, Upstream};
use uuid::Uuid;

use super::answer::WholeAnswer;
use super::flights::{Flights, Joined};
use super::freshness::EndedRuns;
use super::generations::Generations;
use super::kept::KeptAnswers;
use super::key::{CredentialKey, ReadKey};
use crate::CacheSettings;

/// The reads of this process.
pub(crate) struct SharedReads {
    settings: CacheSettings,
    flights: Flights,
    kept: KeptAnswers,
    ended_runs: EndedRuns,
    generations: Generations,
    clock: Arc<dyn Clock>,
}

impl SharedReads {
    pub(crate) fn new(settings: CacheSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            flights: Flights::default(),
            kept: KeptAnswers::new(settings.max_bytes),
            ended_runs: EndedRuns::new(),
            generations: Generations::new(),
            settings,
            clock,
        }
    }

    /// Whether anything is shared.
    pub(crate) fn is_enabled(&self) -> bool {
        self.settings.is_enabled
    }

    /// The longest body that is shared, in bytes.
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.settings.max_body_bytes
    }

    /// The read's key now: a read that begins after a change does not join one that began before it.
    pub(crate) fn key(&self, credential: &CredentialKey, to: &Upstream, request: &ApiRequest) -> ReadKey {
        ReadKey::new(credential, to, request, self.generations.of(to))
    }

    /// A kept answer that is fresh.
    pub(crate) fn fresh(&self, key: &ReadKey) -> Option<Arc<WholeAnswer>> {
        self.kept.fresh(key)
    }

    /// A kept answer for a request that dbt Cloud does not answer.
    pub(crate) fn stale(&self, key: &ReadKey) -> Option<Arc<WholeAnswer>> {
        (!self.settings.stale.is_zero())
            .then(|| self.kept.not_older_than(key, self.settings.stale))
            .flatten()
    }

    /// Joins an identical read in flight, else begins one.
    pub(crate) fn join(&self, key: ReadKey, request_uuid: Uuid) -> Joined {
        self.flights.join(key, request_uuid)
    }

    /// How much memory the kept answers use, in bytes.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept.bytes()
    }

    /// Keeps a successful answer for as long as its kind is fresh.
    pub(crate) fn keep(
        &self,
        key: &ReadKey,
        operation: RequestType,
        to: &Upstream,
        path: &str,
        answer: &Arc<WholeAnswer>,
    ) {
        if answer.status != StatusCode::OK || answer.body.len() > self.settings.max_body_bytes {
            return;
        }
        let now = self.clock.now();
        let ended = self.ended_runs.is_final(operation, to, path, answer, now);
        let fresh = if ended {
            self.settings.ended_fresh
        } else {
            let named = self.settings.fresh.iter().find(|(name, _)| name == operation.as_str());
            named.map_or(Duration::ZERO, |(_, fresh)| *fresh)
        };
        self.kept.keep(key, answer, fresh, ended, self.settings.stale);
    }

    /// Makes the kept answers of the account stale, and lets no later read join those in flight. Called before and after a
    /// change.
    pub(crate) fn changed(&self, to: &Upstream) {
        self.generations.advance(to);
    }
}
