//! Applies the migrations beside a running gateway, and refuses a database whose tables an earlier version created.
//!
//! A migration waits for a lock only for a moment and is then tried again: whatever waits for a table blocks everyone who
//! comes after it.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::sleep;

use crate::database::{Database, MigrationSettings};
use crate::error::{StorageError, sqlstate};

/// The pause before a migration is tried again: long enough for the statements that queued behind it.
const PAUSE: Duration = Duration::from_millis(500);

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
    /// Applies missing migrations; changes nothing if there are none. Replicas that start together wait for each other.
    /// Migrations of a newer version are left as they are.
    ///
    /// # Errors
    /// [`StorageError::EarlierVersion`], with the database unchanged; [`StorageError::MigrationBlocked`],
    /// [`StorageError::MigrationDenied`], [`StorageError::Pooler`], [`StorageError::Migrate`], [`StorageError::Query`].
    pub async fn migrate(&self) -> Result<(), StorageError> {
        self.check_addresses().await?;
        let mut connection = self.connect_directly().await?;
        let migrations = migrations();
        if !is_current(&mut connection, &migrations).await? {
            apply(&mut connection, migrations, self.migration_settings()).await?;
        }
        Ok(connection.close().await?)
    }

    /// Checks that the tables are those of this program or of a newer one, without changing anything.
    ///
    /// # Errors
    /// [`StorageError::SchemaBehind`], [`StorageError::EarlierVersion`], [`StorageError::Pooler`],
    /// [`StorageError::Query`].
    pub async fn require_schema(&self) -> Result<(), StorageError> {
        self.check_addresses().await?;
        let mut connection = self.connect_directly().await?;
        let migrations = migrations();
        let applied = applied(&mut connection, &migrations).await?;
        connection.close().await?;
        if migrations
            .iter()
            .all(|migration| applied.contains_key(&migration.version))
        {
            return Ok(());
        }
        Err(StorageError::SchemaBehind {
            applied: applied.keys().copied().max().unwrap_or(0),
            needed: newest(&migrations),
        })
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

async fn is_current(connection: &mut PgConnection, migrations: &Migrator) -> Result<bool, StorageError> {
    let applied = applied(connection, migrations).await?;
    Ok(migrations
        .iter()
        .all(|migration| applied.contains_key(&migration.version)))
}

/// The applied migrations with their checksums. An earlier version applied one that this program lacks although it has newer
/// ones, or that was edited since.
async fn applied(connection: &mut PgConnection, migrations: &Migrator) -> Result<BTreeMap<i64, Vec<u8>>, StorageError> {
    let is_migrated: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_migrated {
        return Ok(BTreeMap::new());
    }
    let newest = newest(migrations);
    let applied = connection.list_applied_migrations("_sqlx_migrations").await?;
    let applied: BTreeMap<i64, Vec<u8>> = applied
        .into_iter()
        .map(|applied| (applied.version, applied.checksum.into_owned()))
        .collect();
    for (version, checksum) in &applied {
        let known = migrations.iter().find(|migration| migration.version == *version);
        let is_compatible = match known {
            Some(migration) => *migration.checksum == **checksum,
            None => *version > newest,
        };
        if !is_compatible {
            return Err(StorageError::EarlierVersion);
        }
    }
    Ok(applied)
}

/// Each migration is one transaction, so a try goes on where the last one ended.
async fn apply(
    connection: &mut PgConnection,
    mut migrations: Migrator,
    settings: &MigrationSettings,
) -> Result<(), StorageError> {
    // Also limits the wait for another replica's lock, and leaves that wait to the loop.
    let timeout = format!("SET lock_timeout = {}", settings.lock_timeout.as_millis().max(1));
    connection.execute(AssertSqlSafe(timeout)).await?;
    migrations.set_locking(false);
    let mut tries = 0;
    loop {
        tries += 1;
        let Err(error) = apply_locked(connection, &migrations).await else {
            return Ok(());
        };
        match sqlstate_of(&error).as_deref() {
            // 55P03: lock_not_available. 40P01: deadlock_detected.
            Some("55P03" | "40P01") if tries < settings.attempts => {
                tracing::info!(
                    tries,
                    error = &error as &dyn std::error::Error,
                    "the migration waits for a table or for another replica; it is tried again"
                );
                sleep(PAUSE).await;
            }
            Some("55P03" | "40P01") => return Err(StorageError::MigrationBlocked(error)),
            // 42501: insufficient_privilege.
            Some("42501") => return Err(StorageError::MigrationDenied(error)),
            _ => return Err(error.into()),
        }
    }
}

/// The lock is that of sqlx, which earlier versions use too.
async fn apply_locked(connection: &mut PgConnection, migrations: &Migrator) -> Result<(), MigrateError> {
    connection.lock().await?;
    let applied = migrations.run(&mut *connection).await;
    let unlocked = connection.unlock().await;
    applied.and(unlocked)
}

fn sqlstate_of(error: &MigrateError) -> Option<String> {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => sqlstate(error).map(Into::into),
        _ => None,
    }
}
