//! The table `api_key`.

use std::sync::Arc;

use model::Role;

use crate::bounded_pool::BoundedPool;
use crate::database::Database;
use crate::error::StorageError;
use crate::metrics::StorageMetrics;

/// The table `api_key`.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    pub(super) pool: BoundedPool,
    pub(super) metrics: Arc<StorageMetrics>,
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

pub(super) fn parse_role(text: &str) -> Result<Role, StorageError> {
    text.parse().map_err(|error: model::UnknownRole| StorageError::Row {
        table: "api_key",
        reason: error.to_string(),
    })
}
