//! The readiness checks. They never hang: each has a deadline, and callers share one run.

use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use provider::{DbtProvider, NotClosed};
use storage::{Credentials, Database, LogQueue, Schema, StorageError};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::signals::{DiskCheck, HealthSignals};
use crate::look_ups::LookUps;

/// The result of one readiness check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// What is wrong; holds no secret.
    pub problem: Option<String>,
    /// What a person should know although the check passes; holds no secret.
    pub note: Option<String>,
}

/// Limits the database load: anyone may request the health.
const TTL: Duration = Duration::from_millis(500);
/// The deadline of each check.
const LIMIT: Duration = Duration::from_secs(2);
/// The deadline of all of them, which run at once.
const TOTAL_LIMIT: Duration = Duration::from_secs(3);

/// What is checked.
#[derive(Clone)]
pub(crate) struct HealthParts {
    /// Answers queries, and has the tables of this version.
    pub(crate) database: Database,
    /// Which keys stored tokens need.
    pub(crate) credentials: Credentials,
    /// Has room, and its rows are written.
    pub(crate) log: LogQueue,
    /// Which circuits are not closed.
    pub(crate) provider: DbtProvider,
    /// What the tasks of the process report.
    pub(crate) signals: HealthSignals,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Runs the checks, and keeps their results for a moment.
pub(crate) struct HealthChecks {
    parts: HealthParts,
    results: LookUps<(), Arc<[Check]>, ()>,
}

impl HealthChecks {
    pub(crate) fn new(parts: HealthParts) -> Self {
        Self {
            parts,
            results: LookUps::new(TTL, 1, TOTAL_LIMIT),
        }
    }

    /// The results, checked again once they are older than the TTL.
    pub(crate) async fn get(&self) -> Arc<[Check]> {
        let parts = self.parts.clone();
        let results = self.results.get(&(), || async move { Ok(parts.check().await) }).await;
        results.unwrap_or_else(|_| {
            let problem = Some("the checks did not end in time".to_owned());
            Arc::new([Check {
                name: "checks",
                problem,
                note: None,
            }])
        })
    }
}

impl HealthParts {
    async fn check(&self) -> Arc<[Check]> {
        let (schema, missing, disk) = tokio::join!(
            answer("database", self.database.schema()),
            answer("encryption_keys", self.credentials.missing_keys()),
            disk_problem(self.signals.disk.clone()),
        );
        let unknown = || Some("unknown while the database does not answer".to_owned());
        let database = schema.is_none().then(|| "it does not answer".to_owned());
        let mut checks = vec![
            ("database", database),
            ("migrations", schema.map_or_else(unknown, outdated_schema)),
            ("encryption_keys", missing.is_none().then(unknown).flatten()),
            ("request_log", self.log_problem()),
        ];
        if let Some((last_beat, late)) = &self.signals.heartbeat {
            checks.push(("heartbeat", heartbeat_problem(last_beat.age(), *late)));
        }
        if let Some(partitions) = &self.signals.partitions {
            checks.push(("partitions", partitions.problem(self.clock.now())));
        }
        if self.signals.disk.is_some() {
            checks.push(("disk", disk));
        }
        // An outage of dbt Cloud is no reason to take the process out of service.
        checks.push(("dbt_circuits", None));
        // Credentials without their key fail alone: the process serves all others.
        let keys = missing.and_then(|ids| missing_keys(&ids));
        let circuits = open_circuits(&self.provider.not_closed());
        let check = |(name, problem)| Check {
            name,
            problem,
            note: match name {
                "encryption_keys" => keys.clone(),
                "dbt_circuits" => circuits.clone(),
                _ => None,
            },
        };
        checks.into_iter().map(check).collect()
    }

    fn log_problem(&self) -> Option<String> {
        if let Some(time) = self.log.failing_for() {
            return Some(format!("its rows have not been written for {} s", time.as_secs()));
        }
        let rows = self.log.rows().usage();
        // A change needs room for two rows.
        let is_full = rows.used + 2 > rows.capacity;
        is_full.then(|| "its queue is full".to_owned())
    }
}

async fn answer<T>(check: &'static str, query: impl Future<Output = Result<T, StorageError>>) -> Option<T> {
    let answered = timeout(LIMIT, query).await;
    let answered = answered.unwrap_or(Err(StorageError::TimedOut(LIMIT)));
    answered
        .inspect_err(|error| {
            tracing::warn!(check, error = error as &dyn std::error::Error, "readiness check failed");
        })
        .ok()
}

/// A disk that does not answer blocks one thread.
async fn disk_problem(disk: Option<DiskCheck>) -> Option<String> {
    let disk = disk?;
    match timeout(LIMIT, spawn_blocking(move || disk.problem())).await {
        Ok(Ok(problem)) => problem,
        Ok(Err(_)) | Err(_) => Some("it does not answer".to_owned()),
    }
}

fn heartbeat_problem(age: Option<Duration>, late: Duration) -> Option<String> {
    match age {
        Some(age) if age <= late => None,
        Some(age) => Some(format!(
            "the last one was {} s ago: other replicas may soon take this process for dead",
            age.as_secs()
        )),
        None => Some("there was none yet".to_owned()),
    }
}

fn outdated_schema(schema: Schema) -> Option<String> {
    let Schema { applied, needed } = schema;
    (!schema.is_sufficient()).then(|| format!("the tables are at {applied}, and this version needs {needed}"))
}

fn missing_keys(ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| {
        let ids = ids.join(", ");
        format!("some stored tokens need the encryption keys {ids}, which this process lacks: their credentials fail")
    })
}

/// Names no credential: an admin of one company reads it too.
fn open_circuits(not_closed: &[NotClosed]) -> Option<String> {
    let of_apis: Vec<String> = not_closed
        .iter()
        .map(|of_api| {
            let (api, circuits, left) = (of_api.api.as_str(), of_api.circuits, of_api.longest.as_secs_f64());
            format!("{circuits} at {api}, the longest for {left:.1} s more")
        })
        .collect();
    (!of_apis.is_empty()).then(|| {
        let of_apis = of_apis.join("; ");
        format!(
            "dbt Cloud failed too often: the requests of some credentials are refused with dbt-circuit-open ({of_apis}); \
             GET /budget has those of a company"
        )
    })
}

#[cfg(test)]
mod tests {
    use model::ClientType;

    use super::*;

    #[test]
    fn circuits_that_are_not_closed_are_told_by_api() {
        assert_eq!(open_circuits(&[]), None);
        let text = open_circuits(&[NotClosed {
            api: ClientType::DbtCloudMetadata,
            circuits: 2,
            longest: Duration::from_millis(1500),
        }]);
        let text = text.unwrap_or_default();
        assert!(
            text.contains("(2 at dbt_cloud_metadata, the longest for 1.5 s more)"),
            "{text}"
        );
    }

    #[test]
    fn a_heartbeat_is_late_after_its_limit() {
        let late = Duration::from_secs(15);
        assert_eq!(heartbeat_problem(Some(late), late), None);
        let problem = heartbeat_problem(Some(Duration::from_secs(16)), late);
        assert!(problem.is_some_and(|text| text.starts_with("the last one was 16 s ago")));
        assert!(heartbeat_problem(None, late).is_some());
    }
}
