//! The webhook subscriptions of an account, their events, and a receipt of each attempt to deliver one.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::send::Sent;
use crate::runs::EventKind;

#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) event_types: Vec<String>,
    /// Empty means every job.
    pub(crate) job_ids: Vec<i64>,
    pub(crate) client_url: String,
    pub(crate) active: bool,
    pub(crate) secret: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_status: String,
    pub(crate) last_dispatch: String,
    pub(crate) deactivate_reason: String,
    /// The number of events in a row that could not be delivered.
    pub(crate) failed_in_a_row: u32,
}

impl Subscription {
    pub(crate) fn includes(&self, kind: EventKind, job_id: i64) -> bool {
        let named = self.event_types.iter().any(|name| name == kind.name());
        self.active && named && (self.job_ids.is_empty() || self.job_ids.contains(&job_id))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) subscription_id: String,
    pub(crate) account_id: i64,
    pub(crate) job_id: i64,
    pub(crate) kind: EventKind,
    pub(crate) payload: String,
    pub(crate) status: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) subscription_id: String,
    pub(crate) dispatched_at: DateTime<Utc>,
    pub(crate) sent: Sent,
    pub(crate) request_body: String,
}

#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    /// Newest last, bounded.
    pub(crate) events: VecDeque<Event>,
    /// Newest last, bounded.
    pub(crate) receipts: VecDeque<Receipt>,
    /// Events to deliver.
    pub(crate) outbox: Vec<Event>,
}

const LOG_LIMIT: usize = 5_000;

/// Microseconds since the epoch, as text: the times of subscriptions and receipts.
pub(crate) fn micros(at: DateTime<Utc>) -> String {
    at.timestamp_micros().to_string()
}

impl Hooks {
    pub(crate) fn add_event(&mut self, event: Event) {
        push_bounded(&mut self.events, event.clone());
        self.outbox.push(event);
    }

    pub(crate) fn add_receipt(&mut self, receipt: Receipt) {
        let status = receipt
            .sent
            .status
            .map_or_else(String::new, |status| status.to_string());
        if let Some(event) = self.events.iter_mut().find(|event| event.id == receipt.event_id) {
            event.status.clone_from(&status);
        }
        if let Some(subscription) = self.subscriptions.get_mut(&receipt.subscription_id) {
            subscription.last_status = status;
            subscription.last_dispatch = micros(receipt.dispatched_at);
        }
        push_bounded(&mut self.receipts, receipt);
    }

    /// Counts an event that was delivered or given up.
    pub(crate) fn finish_event(&mut self, subscription_id: &str, delivered: bool, give_up_after: Option<u32>) {
        let Some(subscription) = self.subscriptions.get_mut(subscription_id) else {
            return;
        };
        if delivered {
            subscription.failed_in_a_row = 0;
            return;
        }
        subscription.failed_in_a_row += 1;
        if give_up_after.is_some_and(|limit| subscription.failed_in_a_row >= limit) {
            subscription.active = false;
            subscription.deactivate_reason = format!(
                "{} events in a row could not be delivered",
                subscription.failed_in_a_row
            );
        }
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == LOG_LIMIT {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Event {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "subscription_id": self.subscription_id,
            "account_id": self.account_id.to_string(),
            "account_identifier": format!("act_{}", self.account_id),
            "job_id": self.job_id.to_string(),
            "trigger_event_type": self.kind.name(),
            "payload": self.payload,
            "http_status_code": self.status,
        })
    }
}

impl Receipt {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "event_id": self.event_id,
            "subscription_id": self.subscription_id,
            "dispatched_at": micros(self.dispatched_at),
            "http_status_code": self.sent.status.map_or_else(String::new, |status| status.to_string()),
            "error_info": self.sent.error,
            "request_body": self.request_body,
            "request_headers": "Content-Type: application/json",
            "response_body": self.sent.body,
        })
    }
}
