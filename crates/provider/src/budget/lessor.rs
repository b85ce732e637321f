//! Fetches slices for a budget as long as requests wait for it.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::bucket::{Bucket, Refusal};
use super::buckets::Inner;

/// Starts the task, which ends when no request waits.
pub(super) fn start(inner: Arc<Inner>, bucket: Arc<Bucket>) {
    tokio::spawn(async move {
        let ended = Ended(bucket);
        fetch_while_waited_for(&inner, &ended.0).await;
    });
}

async fn fetch_while_waited_for(inner: &Inner, bucket: &Bucket) {
    while let Some(wanted) = bucket.wanted() {
        // Before the statement, so that the slice lapses here no later than by the database's clock.
        let begun = Instant::now();
        let pause = match inner.ledger.lease(&bucket.key, &bucket.limits, wanted).await {
            Ok(slice) => {
                inner.metrics.leased(bucket.key.api, &slice);
                bucket.accept(&slice, wanted, begun)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the budget of requests to dbt Cloud could not be read"
                );
                inner.metrics.lease_failed(bucket.key.api);
                bucket.refuse_all(&Refusal::Unavailable(Arc::new(error)));
                None
            }
        };
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            tokio::select! {
                () = sleep(pause) => {}
                () = bucket.change_waits.notified() => {}
            }
        }
    }
}

/// A task that failed leaves the queue to the next one.
struct Ended(Arc<Bucket>);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lessor_ended();
        }
    }
}
