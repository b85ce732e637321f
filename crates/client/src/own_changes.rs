//! Changes of the gateway's own records with an idempotency key.

use model::{IdempotencyKey, RequestType};
use provider::first_answer_to;
use serde_json::Value;
use storage::{NewIdempotencyKey, StorageError, StoredAnswer};

use crate::{ClientError, DbtClient};

/// The result of such a change.
pub(crate) enum Made<T> {
    /// It was made now.
    Now(T),
    /// It was made by the first request with the key, whose answer this is.
    Before(StoredAnswer),
}

/// The result of a change, or of a check that its key is unused.
///
/// # Errors
/// [`ClientError`]; also where the key was used for another request, or its first answer is not stored.
pub(crate) fn made<T>(result: Result<T, StorageError>) -> Result<Made<T>, ClientError> {
    match result {
        Ok(value) => Ok(Made::Now(value)),
        Err(StorageError::Repeated(earlier)) => Ok(Made::Before(first_answer_to(*earlier)?)),
        Err(error) => Err(error.into()),
    }
}

impl DbtClient {
    /// The idempotency key of this request, which asks for `fields`, an object.
    pub(crate) fn own_key(&self, request_type: RequestType, key: IdempotencyKey, fields: Value) -> NewIdempotencyKey {
        let (by, request) = (self.caller.api_key_id, self.stamp.request_uuid());
        let ttl = self.shared.settings.idempotency_ttl;
        NewIdempotencyKey::new(by, key, request, request_type, fields, ttl)
    }
}
