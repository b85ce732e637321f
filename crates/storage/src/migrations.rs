//! Applies the migrations, and refuses a database whose tables an earlier version created.

use sqlx::migrate::{Migrate as _, Migrator};
use sqlx::{Connection as _, PgConnection};

use crate::database::Database;
use crate::error::StorageError;

/// The newest migration of the database and of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Applied in the database; 0: none.
    pub applied: i64,
    /// Contained in this program.
    pub needed: i64,
}

impl Schema {
    /// Whether this program works with these tables. Tables of a newer version are compatible.
    pub fn is_sufficient(self) -> bool {
        self.applied >= self.needed
    }
}

impl Database {
    /// Applies missing migrations. Replicas that start together wait for each other. Migrations of a newer version are
    /// left as they are.
    ///
    /// # Errors
    /// [`StorageError::EarlierVersion`], with the database unchanged; [`StorageError::Migrate`],
    /// [`StorageError::Query`].
    pub async fn migrate(&self) -> Result<(), StorageError> {
        let mut connection = self.connect().await?;
        let migrations = migrations();
        refuse_earlier_version(&mut connection, &migrations).await?;
        migrations.run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Reads which migrations the database has.
    ///
    /// # Errors
    /// [`StorageError::Query`].
    pub async fn schema(&self) -> Result<Schema, StorageError> {
        let applied = sqlx::query_scalar!("SELECT max(version) AS version FROM _sqlx_migrations WHERE success")
            .fetch_one(self.pool())
            .await?;
        Ok(Schema {
            applied: applied.unwrap_or(0),
            needed: newest(&migrations()),
        })
    }
}

fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("../../migrations");
    migrations.set_ignore_missing(true);
    migrations
}

fn newest(migrations: &Migrator) -> i64 {
    migrations
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// An earlier version applied a migration that this program lacks although it has newer ones, or that was edited since.
async fn refuse_earlier_version(connection: &mut PgConnection, migrations: &Migrator) -> Result<(), StorageError> {
    let is_migrated: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_migrated {
        return Ok(());
    }
    let newest = newest(migrations);
    for applied in connection.list_applied_migrations("_sqlx_migrations").await? {
        let known = migrations.iter().find(|migration| migration.version == applied.version);
        let is_compatible = match known {
            Some(migration) => migration.checksum == applied.checksum,
            None => applied.version > newest,
        };
        if !is_compatible {
            return Err(StorageError::EarlierVersion);
        }
    }
    Ok(())
}
