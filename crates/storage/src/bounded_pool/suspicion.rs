//! Which idle connections are thrown away unused: those that were idle already when another one fell silent.
//!
//! One that is in use at that moment is thrown away when it comes back: it may be the one that found out.
//!
//! A failover or a dropped NAT entry usually silences all of them, and a ping proves little: a hung pooler answers it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(crate) struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    pub(crate) fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether it was raised since then.
    pub(super) fn was_raised_since(&self, moment: Instant) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|raised| raised >= moment)
    }

    /// Whether a connection that has been idle for that long was idle when the suspicion was raised.
    pub(super) fn includes(&self, idle_for: Duration) -> bool {
        let raised = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        raised.is_some_and(|raised| raised.elapsed() <= idle_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_suspect_if_it_was_idle_when_another_fell_silent() {
        let suspicion = Suspicion::default();
        assert!(!suspicion.includes(Duration::from_hours(1)), "nothing happened");
        suspicion.raise();
        assert!(suspicion.includes(Duration::from_hours(1)));
        assert!(!suspicion.includes(Duration::ZERO), "used since");
        assert!(!suspicion.was_raised_since(Instant::now() + Duration::from_secs(1)));
    }
}
