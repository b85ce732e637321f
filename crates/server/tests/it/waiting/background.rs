//! The background work of a gateway in a test.

use std::time::Duration;

use client::Clients;
use tokio::task::JoinHandle;

/// The workers of a gateway; they stop when it is dropped.
pub(super) struct Background([JoinHandle<()>; 2]);

impl Background {
    pub(super) fn of(clients: &Clients) -> Self {
        let (watching, delivering) = (clients.clone(), clients.clone());
        let watch = async move {
            loop {
                // As the supervisor, it goes on after a failure.
                let _ = watching.watch_runs().await;
                let _ = watching.find_new_runs().await;
                let _ = watching.cancel_waited_runs().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let deliver = async move {
            loop {
                if delivering.deliver_events().await.is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        };
        Self([tokio::spawn(watch), tokio::spawn(deliver)])
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
