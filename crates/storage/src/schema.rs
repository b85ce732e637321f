//! How far the tables have been brought.

use crate::{Database, StorageError};

/// The newest migration that the database has, and the newest that this program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// In the database; 0: none.
    pub applied: i64,
    /// In this program.
    pub needed: i64,
}

impl Schema {
    /// Whether this program can work on these tables. Newer ones are those of a newer replica beside it.
    pub fn is_sufficient(self) -> bool {
        self.applied >= self.needed
    }
}

impl Database {
    /// Asks the database how far it is.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn schema(&self) -> Result<Schema, StorageError> {
        let applied = sqlx::query_scalar!("SELECT max(version) AS version FROM _sqlx_migrations WHERE success")
            .fetch_one(self.pool())
            .await?;
        let needed = Self::migrations().iter().map(|migration| migration.version).max();
        Ok(Schema {
            applied: applied.unwrap_or(0),
            needed: needed.unwrap_or(0),
        })
    }
}
