//! Webhooks: subscriptions, events, payloads, and one attempt to deliver. `webhook_delivery` does the retries.

mod payload;
mod send;
mod store;

pub(crate) use payload::{PayloadContext, payload};
pub(crate) use send::post;
pub(crate) use store::{Event, Hooks, Receipt, Subscription, micros};
