//! Callers' keys: made here, stored as hashes, looked up by hash, listed and revoked by the company they belong to.
//!
//! One file a task: the hash (`key_hash`), making (`create`), authenticating (`find`), an admin's work (`manage`). Who
//! may do what is decided above; here each statement is bound to the company that it is told.

mod create;
mod find;
mod key_hash;
mod manage;

use std::sync::Arc;

use model::Role;
use sqlx::PgPool;

pub use create::{CreateKey, NewKey};
pub use find::KeyRecord;
pub use key_hash::KeyHash;
pub use manage::ApiKeyInfo;

use crate::{Database, StorageError, StorageMetrics};

/// The table `api_key`.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    pool: PgPool,
    metrics: Arc<StorageMetrics>,
}

impl ApiKeys {
    /// The keys of that database.
    pub fn new(database: &Database) -> Self {
        Self {
            pool: database.pool().clone(),
            metrics: Arc::clone(database.metrics()),
        }
    }
}

fn role_of(text: &str) -> Result<Role, StorageError> {
    text.parse().map_err(|error: model::UnknownRole| StorageError::Row {
        table: "api_key",
        reason: error.to_string(),
    })
}
