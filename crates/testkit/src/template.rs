//! The migrated database of which every test gets a copy: made once per server and set of migrations, by whoever comes
//! first, while the others wait. Called by `database`.

use std::fmt::{Display, Write};

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgPool};

/// A text that changes whenever one of these migrations does.
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

/// The name of the template for this fingerprint, made if it is missing.
pub(crate) async fn ensure<E: Display>(
    server: &PgConnectOptions,
    fingerprint: &str,
    migrate: impl AsyncFnOnce(PgPool) -> Result<(), E>,
) -> Result<String, sqlx::Error> {
    let hash = fnv1a(fingerprint.as_bytes());
    let name = format!("template_{hash:016x}");
    let mut connection = server.connect().await?;
    if !is_finished(&mut connection, &name).await? {
        // Held by this connection: if we are killed, the next in line begins anew.
        let turn = i64::from_ne_bytes(hash.to_ne_bytes());
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(turn)
            .execute(&mut connection)
            .await?;
        if !is_finished(&mut connection, &name).await? {
            make(&mut connection, server, &name, migrate).await?;
        }
    }
    connection.close().await?;
    Ok(name)
}

/// Being marked as a template is the last step, so one that is marked is complete.
async fn is_finished(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    let marked: Option<bool> = sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?;
    Ok(marked == Some(true))
}

async fn make<E: Display>(
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
    // Nobody can be connected to it from now on, which copying it needs.
    connection
        .execute(AssertSqlSafe(format!(
            "ALTER DATABASE {name} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false"
        )))
        .await?;
    Ok(())
}

/// The FNV-1a hash: the same in every process, whatever compiled it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::fnv1a;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
