//! Answers that are kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::answer::WholeAnswer;
use super::key::ReadKey;

/// What an answer needs besides its body and headers, in bytes: its entry in the cache.
const OVERHEAD: usize = 768;
/// What a header needs besides its name and value, in bytes.
const HEADER_OVERHEAD: usize = 128;

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

/// The kept answers, by what was asked. Where memory is short, those go that were not read for the longest time.
pub(super) struct KeptAnswers(Cache<[u8; 32], Kept>);

impl KeptAnswers {
    pub(super) fn new(max_bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(max_bytes)
            // The default one turns away what is new: a run that is read now would not be kept while the cache is full.
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, kept: &Kept| {
                let headers: usize = kept
                    .answer
                    .headers
                    .iter()
                    .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD)
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

    pub(super) fn keep(&self, key: &ReadKey, answer: &WholeAnswer, fresh: Duration, is_final: bool, stale: Duration) {
        let lifetime = fresh.max(stale);
        if lifetime.is_zero() {
            return;
        }
        let kept = Kept {
            answer: Arc::new(compact(answer)),
            fresh,
            is_final,
            generation: key.generation,
            lifetime,
        };
        self.0.insert(key.request, kept);
    }
}

/// The answer in memory of its own. Body and headers are parts of the buffers that the connection reads into, and would keep
/// those: several times as much as is counted.
fn compact(answer: &WholeAnswer) -> WholeAnswer {
    let mut headers = HeaderMap::with_capacity(answer.headers.keys_len());
    for (name, value) in &answer.headers {
        // What was valid is valid again.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.append(name.clone(), value);
        }
    }
    WholeAnswer {
        status: answer.status,
        headers,
        body: Bytes::copy_from_slice(&answer.body),
        request_uuid: answer.request_uuid,
        fetched_at: answer.fetched_at,
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

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    const KEPT: Duration = Duration::from_mins(1);

    fn key(number: u8) -> ReadKey {
        ReadKey {
            request: [number; 32],
            generation: 0,
        }
    }

    fn answer(body: Bytes) -> WholeAnswer {
        WholeAnswer {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("v"))]),
            body,
            request_uuid: Uuid::nil(),
            fetched_at: Instant::now(),
        }
    }

    fn keep(answers: &KeptAnswers, number: u8, answer: &WholeAnswer) {
        answers.keep(&key(number), answer, KEPT, true, Duration::ZERO);
        answers.0.run_pending_tasks();
    }

    #[test]
    fn an_answer_is_kept_without_the_buffer_that_it_was_read_into() {
        let answers = KeptAnswers::new(1 << 20);
        let buffer = Bytes::from(vec![b'x'; 1 << 16]);
        let read = answer(buffer.slice(..10));
        keep(&answers, 1, &read);
        drop(read);
        assert!(buffer.is_unique(), "nothing else refers to the buffer");
        let kept = answers.fresh(&key(1)).unwrap();
        assert_eq!((&*kept.body, kept.headers.len()), (&b"xxxxxxxxxx"[..], 1));
    }

    #[test]
    fn a_full_cache_keeps_what_was_read_last() {
        let answers = KeptAnswers::new(10_000);
        for number in 0..100 {
            keep(&answers, number, &answer(Bytes::from(vec![0; 1000])));
            assert!(answers.fresh(&key(number)).is_some(), "{number}");
        }
        assert!(answers.fresh(&key(0)).is_none());
        assert!(answers.bytes() <= 10_000);
    }
}
