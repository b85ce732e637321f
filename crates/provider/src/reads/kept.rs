//! Answers that are kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use moka::Expiry;
use moka::sync::Cache;

use super::answer::WholeAnswer;
use super::key::ReadKey;

/// What an answer needs besides its body and headers, in bytes.
const OVERHEAD: usize = 512;

#[derive(Clone)]
struct Kept {
    answer: Arc<WholeAnswer>,
    fresh: Duration,
    /// Whether no change touches it.
    is_final: bool,
    generation: u64,
    /// When it is of no use any more.
    lifetime: Duration,
}

/// The kept answers, by what was asked. The oldest go where memory is short.
pub(super) struct KeptAnswers(Cache<[u8; 32], Kept>);

impl KeptAnswers {
    pub(super) fn new(max_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept: &Kept| {
                let headers: usize = kept
                    .answer
                    .headers
                    .iter()
                    .map(|(name, value)| name.as_str().len() + value.len())
                    .sum();
                u32::try_from(kept.answer.body.len() + headers + OVERHEAD).unwrap_or(u32::MAX)
            })
            .expire_after(OfEach)
            .build();
        Self(cache)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.weighted_size()
    }

    pub(super) fn fresh(&self, key: &ReadKey) -> Option<Arc<WholeAnswer>> {
        let kept = self.0.get(&key.request)?;
        let counts = kept.is_final || kept.generation == key.generation;
        (counts && kept.answer.fetched_at.elapsed() < kept.fresh).then_some(kept.answer)
    }

    pub(super) fn not_older_than(&self, key: &ReadKey, limit: Duration) -> Option<Arc<WholeAnswer>> {
        let kept = self.0.get(&key.request)?;
        (kept.answer.fetched_at.elapsed() <= limit).then_some(kept.answer)
    }

    pub(super) fn keep(
        &self,
        key: &ReadKey,
        answer: Arc<WholeAnswer>,
        fresh: Duration,
        is_final: bool,
        stale: Duration,
    ) {
        let lifetime = fresh.max(stale);
        if lifetime.is_zero() {
            return;
        }
        let kept = Kept {
            answer,
            fresh,
            is_final,
            generation: key.generation,
            lifetime,
        };
        self.0.insert(key.request, kept);
    }
}

/// Each answer expires by its own time.
struct OfEach;

impl Expiry<[u8; 32], Kept> for OfEach {
    fn expire_after_create(&self, _: &[u8; 32], kept: &Kept, _: StdInstant) -> Option<Duration> {
        Some(kept.lifetime)
    }

    fn expire_after_update(&self, _: &[u8; 32], kept: &Kept, _: StdInstant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.lifetime)
    }
}
