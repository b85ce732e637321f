//! Delivers events to webhooks, with retries. The pauses between attempts are simulated time, the time limit of an
//! attempt is real time.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::state::State;
use crate::webhooks::{Event, Receipt, post};

/// The pauses before each retry, in simulated seconds.
const PAUSES: [i64; 5] = [1, 2, 4, 8, 16];
/// The number of attempts at the same time.
const CONCURRENT: usize = 16;

/// Announces events as simulated time passes, and delivers them.
pub(crate) async fn deliver_forever(state: Arc<State>) {
    let mut deliveries = JoinSet::new();
    let slots = Arc::new(Semaphore::new(CONCURRENT));
    loop {
        let (due, next) = {
            let now = state.clock.now();
            let mut world = state.world();
            let switches = state.switches();
            world.settle(now, &state.timing, &switches);
            (world.take_outbox(), world.next_change())
        };
        for event in due {
            deliveries.spawn(deliver(Arc::clone(&state), Arc::clone(&slots), event));
        }
        tokio::select! {
            () = state.changed.notified() => {}
            () = state.clock.sleep_until_or_moved(next) => {}
            Some(done) = deliveries.join_next() => if let Err(error) = done { tracing::error!(%error, "a webhook delivery panicked") },
        }
    }
}

async fn deliver(state: Arc<State>, slots: Arc<Semaphore>, event: Event) {
    let mut delivered = false;
    for attempt in 0..=PAUSES.len() {
        if attempt > 0 {
            let due = state.clock.now() + TimeDelta::seconds(PAUSES[attempt - 1]);
            while state.clock.now() < due {
                state.clock.sleep_until_or_moved(Some(due)).await;
            }
        }
        let target = {
            let mut world = state.world();
            let subscription = world
                .accounts
                .get_mut(&event.account_id)
                .and_then(|account| account.hooks.subscriptions.get(&event.subscription_id));
            subscription.map(|subscription| (subscription.client_url.clone(), subscription.secret.clone()))
        };
        // The subscription was deleted.
        let Some((url, secret)) = target else { return };
        let Ok(slot) = slots.acquire().await else { return };
        let dispatched_at = state.clock.now();
        let sent = post(&state.http, &url, &secret, event.payload.clone(), state.webhook_timeout).await;
        drop(slot);
        delivered = sent.is_success();
        if let Some(account) = state.world().accounts.get_mut(&event.account_id) {
            account.hooks.add_receipt(Receipt {
                id: format!("wrc_{}", account.ids.next()),
                event_id: event.id.clone(),
                subscription_id: event.subscription_id.clone(),
                dispatched_at,
                sent,
                request_body: event.payload.clone(),
            });
        }
        if delivered {
            break;
        }
    }
    let give_up_after = state.switches().webhook_deactivated_after;
    if let Some(account) = state.world().accounts.get_mut(&event.account_id) {
        account
            .hooks
            .finish_event(&event.subscription_id, delivered, give_up_after);
    }
}
