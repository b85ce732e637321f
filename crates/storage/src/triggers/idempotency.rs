//! Idempotency keys: one HMAC for each field of the first request, and its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{ApiKeyId, IdempotencyKey};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

/// A key before it is stored.
#[derive(Debug, Clone)]
pub struct NewIdempotencyKey {
    /// The caller's API key.
    pub api_key_id: ApiKeyId,
    /// The caller's name for the request.
    pub key: IdempotencyKey,
    /// The request.
    pub request_uuid: Uuid,
    /// Each field of the parsed request as JSON, by its name.
    pub fields: BTreeMap<String, Value>,
    /// For how long the answer is kept.
    pub ttl: Duration,
}

/// The first answer to a key. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The status, 200 to 299.
    pub status_code: u16,
    /// The body, JSON.
    pub body: String,
}

/// A request whose key was used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// These fields are not those of the first request.
    Differs(Vec<String>),
    /// The first request has an answer.
    Answered(StoredAnswer),
    /// The first request is in progress.
    InFlight(Uuid),
    /// The answer of dbt Cloud to the first request was lost, and what it did is not known.
    Unresolved(Uuid),
}

/// One HMAC a field, as hexadecimal digits. The salt is stored beside them, so that equal values of different keys do not
/// look equal.
pub(super) fn fingerprint(salt: &[u8], fields: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let digest = |(name, value): (&String, &Value)| {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(salt).ok()?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(value.to_string().as_bytes());
        Some((name.clone(), hex::encode(mac.finalize().into_bytes())))
    };
    fields.iter().filter_map(digest).collect()
}

/// The names of the fields that differ, or that one request has alone.
pub(super) fn differences(first: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> = first.keys().chain(now.keys()).collect();
    let differs = names.into_iter().filter(|name| first.get(*name) != now.get(*name));
    differs.cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn fields_that_differ_are_named_and_their_order_does_not_count() {
        let print = |value| fingerprint(b"salt", &fields(value));
        let first = print(json!({"cause": "x", "threads": 4, "steps": {"a": 1, "b": 2}}));
        assert!(
            differences(
                &first,
                &print(json!({"steps": {"b": 2, "a": 1}, "threads": 4, "cause": "x"}))
            )
            .is_empty()
        );
        let other = print(json!({"cause": "y", "steps": {"a": 1, "b": 2}, "branch": "main"}));
        assert_eq!(differences(&first, &other), ["branch", "cause", "threads"]);
    }

    #[test]
    fn a_value_is_not_readable_and_depends_on_the_salt() {
        let value = fields(json!({"password": "sesame"}));
        let (one, other) = (fingerprint(b"1", &value), fingerprint(b"2", &value));
        assert_ne!(one, other);
        assert!(!format!("{one:?}").contains("sesame"));
    }
}
