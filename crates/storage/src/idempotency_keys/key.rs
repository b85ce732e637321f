//! A key, what it stands for, and what became of its first request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{ApiKeyId, IdempotencyKey, RequestType};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A key before it is stored.
#[derive(Clone)]
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

impl NewIdempotencyKey {
    /// The key of the request with that UUID. `fields` is what it asks, an object: a repeat must ask the same.
    pub fn new(
        api_key_id: ApiKeyId,
        key: IdempotencyKey,
        request_uuid: Uuid,
        request_type: RequestType,
        fields: Value,
        ttl: Duration,
    ) -> Self {
        let mut all = BTreeMap::from([("operation".to_owned(), Value::from(request_type.as_str()))]);
        if let Value::Object(fields) = fields {
            all.extend(fields);
        }
        Self {
            api_key_id,
            key,
            request_uuid,
            fields: all,
            ttl,
        }
    }

    /// With a field whose value is a secret, by its SHA-256.
    #[must_use]
    pub fn with_secret(mut self, field: &str, secret: &SecretString) -> Self {
        let digest = hex::encode(Sha256::digest(secret.expose_secret()));
        self.fields.insert(field.to_owned(), Value::from(digest));
        self
    }
}

impl fmt::Debug for NewIdempotencyKey {
    /// Without the values, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewIdempotencyKey")
            .field("key", &self.key)
            .field("request_uuid", &self.request_uuid)
            .field("fields", &self.fields.keys())
            .finish_non_exhaustive()
    }
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
    /// The first request has made this API key. Its text is a secret, so the answer is not stored.
    NotReplayable(ApiKeyId),
    /// The first request is in progress. `None`: its transaction is, so its UUID is not known.
    InFlight(Option<Uuid>),
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
    fn a_secret_is_in_no_text_of_a_key() {
        let key = IdempotencyKey::parse("k").unwrap();
        let request_type = RequestType::CreateCredential;
        let ttl = Duration::from_secs(1);
        let fields = json!({"name": "production"});
        let new = NewIdempotencyKey::new(ApiKeyId(1), key, Uuid::nil(), request_type, fields, ttl);
        let new = new.with_secret("token", &"sesame".into());
        assert!(new.fields.contains_key("token"));
        assert!(!format!("{new:?} {:?}", new.fields).contains("sesame"));
        assert!(!format!("{new:?}").contains("production"));
    }

    #[test]
    fn a_value_is_not_readable_and_depends_on_the_salt() {
        let value = fields(json!({"password": "sesame"}));
        let (one, other) = (fingerprint(b"1", &value), fingerprint(b"2", &value));
        assert_ne!(one, other);
        assert!(!format!("{one:?}").contains("sesame"));
    }
}
