//! Sends events: signed, with a time limit, again when it fails. Waits between attempts pass in simulated time, the time
//! limit of one attempt in real time.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Event, Receipt};
use crate::state::State;

/// How often an event is sent again, and after how many simulated seconds each time.
const PAUSES: [i64; 5] = [1, 2, 4, 8, 16];
const AT_ONCE: usize = 16;
const BODY_LIMIT: usize = 4_096;

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: Option<u16>,
    pub(crate) error: String,
    pub(crate) body: String,
}

impl Sent {
    fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The signature of a body: hex HMAC-SHA256, no scheme in front.
pub(crate) fn sign(secret: &str, body: &str) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        }
        // HMAC takes keys of every length.
        Err(_) => String::new(),
    }
}

/// One attempt.
pub(crate) async fn post(client: &reqwest::Client, url: &str, secret: &str, body: String, limit: Duration) -> Sent {
    let signature = sign(secret, &body);
    let request = client
        .post(url)
        .header("authorization", signature)
        .header("content-type", "application/json")
        .body(body);
    let exchange = async {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let mut body = answer.text().await?;
        body.truncate(body.floor_char_boundary(BODY_LIMIT));
        Ok::<_, reqwest::Error>(Sent {
            status: Some(status),
            error: String::new(),
            body,
        })
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(Ok(sent)) => sent,
        Ok(Err(error)) => Sent {
            status: None,
            error: error.without_url().to_string(),
            body: String::new(),
        },
        Err(_) => Sent {
            status: None,
            error: format!("no answer within {} s", limit.as_secs_f64()),
            body: String::new(),
        },
    }
}

/// Takes notice of what happens as simulated time passes, and delivers what it calls for.
pub(crate) async fn deliver_forever(state: Arc<State>) {
    let mut deliveries = JoinSet::new();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
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
            Some(done) = deliveries.join_next() => if let Err(error) = done { tracing::error!(%error, "a delivery broke off") },
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
        // A subscription that is gone hears nothing more.
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
            .settle_event(&event.subscription_id, delivered, give_up_after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hex_hmac_sha256_of_the_raw_body() {
        // RFC 4231, test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign("Jefe", "what do ya want for nothing?"), expected);
    }
}
