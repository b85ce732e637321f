//! Spreads cooldowns among the replicas: each looks for new ones twice a second while it uses a budget.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::bucket::Bucket;
use super::buckets::Inner;

/// How often cooldowns of other replicas are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A budget that was not used for this long is forgotten here.
const IDLE: Duration = Duration::from_mins(1);
/// dbt Cloud may ask for no pause, or by mistake for a day: an hour costs one more try.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(1);
/// The pause before a cooldown that Postgres did not store is stored again.
const STORE_AGAIN: Duration = Duration::from_millis(250);

/// Starts the task, which ends when no budget is in use.
pub(super) fn start_watch(inner: &Arc<Inner>) {
    tokio::spawn(watch(Arc::downgrade(inner)));
}

async fn watch(inner: Weak<Inner>) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if !inner.forget_unused(IDLE) {
            return;
        }
        // While Postgres is away nothing is leased either.
        let Ok(open) = inner.ledger.cooldowns().await else {
            continue;
        };
        inner.metrics.set_cooldowns(open.len());
        for (key, left) in open {
            if let Some(bucket) = inner.known(&key) {
                bucket.block(left);
            }
        }
    }
}

/// Opens the cooldown after a 429, here at once and for the others in Postgres.
pub(super) fn open(inner: &Arc<Inner>, bucket: &Arc<Bucket>, says: Option<Duration>) {
    let duration = says.unwrap_or(inner.settings.cooldown).clamp(SHORTEST, LONGEST);
    if says.is_none() && bucket.blocked().is_some() {
        // Sent before the cooldown began, as others.
        return;
    }
    bucket.block(duration);
    inner.metrics.cooled_down(bucket.key.api);
    tracing::warn!(
        dbt.account_id = bucket.key.account.0,
        api = bucket.key.api.as_str(),
        seconds = duration.as_secs(),
        "dbt Cloud answered 429: the account's requests pause"
    );
    tokio::spawn(store(Arc::clone(inner), Arc::clone(bucket), duration, says.is_some()));
}

async fn store(inner: Arc<Inner>, bucket: Arc<Bucket>, duration: Duration, says: bool) {
    let until = Instant::now() + duration;
    while let Some(left) = until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        match inner.ledger.cool_down(&bucket.key, left, says).await {
            Ok(left) => return bucket.block(left),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the cooldown could not be stored for the other replicas; it is stored again"
            ),
        }
        sleep(STORE_AGAIN).await;
    }
}

/// Ends the try after a cooldown.
pub(super) fn end_probe(inner: &Arc<Inner>, bucket: &Arc<Bucket>, answered: bool) {
    // Without a runtime the process ends, and the try with its lease.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let (inner, bucket) = (Arc::clone(inner), Arc::clone(bucket));
    runtime.spawn(async move {
        if let Err(error) = inner.ledger.end_probe(&bucket.key, &bucket.limits, answered).await {
            // The lease of the try ends by itself, and another request tries.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a try after a cooldown was not recorded"
            );
        }
    });
}
