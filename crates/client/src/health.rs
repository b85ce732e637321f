//! The readiness checks: the database, its tables, the encryption keys, the request log's queue.

use std::sync::Arc;
use std::time::Duration;

use provider::DbtProvider;
use storage::{Credentials, Database, Schema};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The result of one readiness check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// What is wrong; holds no secret.
    pub problem: Option<String>,
}

/// Limits the database load: anyone may request the health.
const TTL: Duration = Duration::from_millis(500);
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The last results, with their time.
#[derive(Default)]
pub(crate) struct CachedHealth(Mutex<Option<(Instant, Arc<[Check]>)>>);

impl CachedHealth {
    /// The results, checked again once they are older than the TTL.
    pub(crate) async fn get(
        &self,
        database: &Database,
        credentials: &Credentials,
        provider: &DbtProvider,
    ) -> Arc<[Check]> {
        let mut last = self.0.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < TTL
        {
            return Arc::clone(checks);
        }
        let checks = check(database, credentials, provider).await;
        *last = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }
}

async fn check(database: &Database, credentials: &Credentials, provider: &DbtProvider) -> Arc<[Check]> {
    let queries = timeout(DATABASE_TIMEOUT, async {
        let (schema, missing) = tokio::join!(database.schema(), credentials.missing_keys());
        (
            schema.inspect_err(|error| log_failure("database", error)),
            missing.inspect_err(|error| log_failure("encryption_keys", error)),
        )
    });
    let (schema, missing) = match queries.await {
        Ok((schema, missing)) => (schema.ok(), missing.ok()),
        Err(_) => (None, None),
    };
    let unknown = || Some("unknown while the database does not answer".to_owned());
    let checks = [
        Check {
            name: "database",
            problem: schema.is_none().then(|| "it does not answer".to_owned()),
        },
        Check {
            name: "migrations",
            problem: schema.map_or_else(unknown, outdated_schema),
        },
        Check {
            name: "encryption_keys",
            problem: missing.map_or_else(unknown, |ids| missing_keys(&ids)),
        },
        Check {
            name: "request_log",
            problem: (!provider.has_room()).then(|| "its queue is full".to_owned()),
        },
    ];
    Arc::new(checks)
}

fn outdated_schema(schema: Schema) -> Option<String> {
    let Schema { applied, needed } = schema;
    (!schema.is_sufficient()).then(|| format!("the tables are at {applied}, and this version needs {needed}"))
}

fn missing_keys(ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| format!("stored tokens need the keys {}", ids.join(", ")))
}

fn log_failure(check: &'static str, error: &storage::StorageError) {
    tracing::warn!(check, error = error as &dyn std::error::Error, "readiness check failed");
}
