//! How long a peer may keep a connection waiting: a minimum rate with a grace period.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The least that a peer must read or send while bytes wait for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MinRate {
    /// 0: no minimum.
    pub(crate) bytes_per_sec: u64,
    /// How long a peer may be slower than that, from 1 second.
    pub(crate) grace: Duration,
}

/// The error of a peer that is too slow.
pub(super) fn too_slow() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the caller is slower than server.min_bytes_per_sec",
    )
}

/// The time that a peer has left. Waiting uses it up; each byte gives some back, never more than the grace period. So time in
/// which nothing waits for the peer does not count.
#[derive(Debug)]
pub(super) struct Allowance {
    rate: MinRate,
    left: Duration,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Allowance {
    pub(super) fn new(rate: MinRate) -> Self {
        Self {
            rate,
            left: rate.grace,
            waiting: None,
        }
    }

    /// The peer took or sent that many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some(Waiting { since, .. }) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        if self.left < self.rate.grace && self.rate.bytes_per_sec > 0 {
            let earned = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / self.rate.bytes_per_sec);
            self.left = self.left.saturating_add(earned).min(self.rate.grace);
        }
    }

    /// The peer lets bytes wait. Ready when its time is used up; until then the task is woken at that moment.
    pub(super) fn poll_used_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rate.bytes_per_sec == 0 {
            return Poll::Pending;
        }
        let left = self.left;
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            Waiting {
                since,
                end: Box::pin(sleep_until(since + left)),
            }
        });
        waiting.end.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::advance;

    use super::*;

    const RATE: MinRate = MinRate {
        bytes_per_sec: 100,
        grace: Duration::from_secs(10),
    };

    fn is_used_up(allowance: &mut Allowance) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        allowance.poll_used_up(&mut cx).is_ready()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_has_the_grace_period() {
        let mut allowance = Allowance::new(RATE);
        let start = Instant::now();
        poll_fn(|cx| allowance.poll_used_up(cx)).await;
        assert!(start.elapsed().abs_diff(RATE.grace) < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_waits_does_not_count() {
        let mut allowance = Allowance::new(RATE);
        for _ in 0..100 {
            advance(Duration::from_mins(1)).await;
            assert!(!is_used_up(&mut allowance));
            advance(Duration::from_millis(500)).await;
            // Half a second of waiting, and the bytes of half a second.
            allowance.moved(50);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_always_too_slow_has_no_time_left_after_a_while() {
        let mut allowance = Allowance::new(RATE);
        let mut seconds = 0;
        while !is_used_up(&mut allowance) {
            advance(Duration::from_secs(1)).await;
            seconds += 1;
            assert!(seconds < 100);
            if seconds % 2 == 0 {
                // Half of the rate.
                allowance.moved(100);
            }
        }
        assert!(seconds >= 18, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_minimum_rate_a_peer_may_wait_for_ever() {
        let mut allowance = Allowance::new(MinRate {
            bytes_per_sec: 0,
            ..RATE
        });
        assert!(!is_used_up(&mut allowance));
        advance(Duration::from_hours(1)).await;
        assert!(!is_used_up(&mut allowance));
    }
}
