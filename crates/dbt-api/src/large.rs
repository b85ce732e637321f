//! Work on large bodies, which takes a millisecond for each 100 kB: on threads of their own, and at most on half of the
//! processors, so that it does not hold up the requests that share the rest.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

/// Bodies from this length are large, in bytes.
pub const LARGE_BODY_BYTES: usize = 128 << 10;

static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Semaphore::new(processors.div_ceil(2))
});

/// Runs the work on a body of that length. A panic in it continues here.
pub async fn work_on_body<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes < LARGE_BODY_BYTES {
        return work();
    }
    // The semaphore is never closed.
    let _turn = TURNS.acquire().await;
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
