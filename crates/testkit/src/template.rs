//! The migrated template database that tests copy: created once per server and set of migrations, under an advisory lock.
//! Called by `database`.

use std::fmt::{Display, Write};

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool};

/// A text that changes when a migration does.
pub fn fingerprint(migrations: &Migrator) -> String {
    let mut text = String::new();
    for migration in migrations.iter() {
        // Writing to a String does not fail.
        let _ = write!(text, "{}", migration.version);
        for byte in migration.checksum.iter() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// The name of the template for this fingerprint, created if it is missing.
pub(crate) async fn ensure<E: Display>(
    server: &PgConnectOptions,
    fingerprint: &str,
    migrate: impl AsyncFnOnce(PgPool) -> Result<(), E>,
) -> Result<String, sqlx::Error> {
    let hash = fnv1a(fingerprint.as_bytes());
    let name = format!("template_{hash:016x}");
    let mut connection = server.connect().await?;
    if !is_finished(&mut connection, &name).await? {
        // The lock belongs to this connection: if this process is killed, the next one starts over.
        let lock_id = i64::from_ne_bytes(hash.to_ne_bytes());
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(lock_id)
            .execute(&mut connection)
            .await?;
        if !is_finished(&mut connection, &name).await? {
            create(&mut connection, server, &name, migrate).await?;
        }
    }
    connection.close().await?;
    Ok(name)
}

/// Marking a database as a template is the last step of its creation.
async fn is_finished(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let is_template: Option<bool> = sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(is_template == Some(true))
}

async fn create<E: Display>(
    connection: &mut PgConnection,
    server: &PgConnectOptions,
    name: &str,
    migrate: impl AsyncFnOnce(PgPool) -> Result<(), E>,
) -> Result<(), sqlx::Error> {
    connection
        .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        .await?;
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await?;
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(server.clone().database(name))
        .await?;
    let migrated = migrate(pool.clone()).await;
    pool.close().await;
    if let Err(error) = migrated {
        panic!("the migrations for the tests failed: {error}");
    }
    // A database with connections cannot be copied.
    connection
        .execute(AssertSqlSafe(format!(
            "ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
        )))
        .await?;
    Ok(())
}

/// The FNV-1a hash, which is stable across builds.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn the_hash_matches_published_values() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
