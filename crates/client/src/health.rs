//! Whether requests can be served: the database, its tables, the encryption keys, the request log's queue.

use std::sync::Arc;
use std::time::Duration;

use storage::Schema;
use tokio::time::{Instant, timeout};

use crate::clients::{Clients, Shared};

/// One thing that must be well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which one.
    pub name: &'static str,
    /// What is wrong; holds no secret.
    pub problem: Option<String>,
}

/// How long a look is good for: everybody may ask, and the database is spared.
const GOOD_FOR: Duration = Duration::from_millis(500);
/// How long the database may take for its answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was found, and when.
pub(crate) type LastLook = (Instant, Arc<[Check]>);

impl Clients {
    /// What must be well for requests to be served, as of half a second ago at most.
    pub async fn health(&self) -> Arc<[Check]> {
        let mut last = self.shared.last_look.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < GOOD_FOR
        {
            return Arc::clone(checks);
        }
        let checks = look(&self.shared).await;
        *last = Some((Instant::now(), Arc::clone(&checks)));
        checks
    }
}

async fn look(shared: &Shared) -> Arc<[Check]> {
    let asked = timeout(PATIENCE, async {
        let (schema, missing) = tokio::join!(shared.database.schema(), shared.records.credentials.missing_keys());
        (
            schema.inspect_err(|error| tell("database", error)),
            missing.inspect_err(|error| tell("encryption_keys", error)),
        )
    });
    let (schema, missing) = match asked.await {
        Ok((schema, missing)) => (schema.ok(), missing.ok()),
        Err(_) => (None, None),
    };
    let unknown = || Some("it cannot be told without the database".to_owned());
    let checks = [
        Check {
            name: "database",
            problem: schema.is_none().then(|| "it does not answer".to_owned()),
        },
        Check {
            name: "migrations",
            problem: schema.map_or_else(unknown, behind),
        },
        Check {
            name: "encryption_keys",
            problem: missing.map_or_else(unknown, |ids| lacking(&ids)),
        },
        Check {
            name: "request_log",
            problem: (!shared.provider.has_room()).then(|| "its queue is full".to_owned()),
        },
    ];
    Arc::new(checks)
}

fn behind(schema: Schema) -> Option<String> {
    let Schema { applied, needed } = schema;
    (!schema.is_sufficient()).then(|| format!("the tables are at {applied}, and this version needs {needed}"))
}

fn lacking(ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| format!("stored tokens need the keys {}", ids.join(", ")))
}

fn tell(what: &'static str, error: &storage::StorageError) {
    tracing::warn!(check = what, error = error as &dyn std::error::Error, "not ready");
}
