//! Cost of a single-row commit on the gateway's Postgres, by `pgbench`: the reference for the added latency.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use crate::latencies::Latencies;
use crate::process::output;
use crate::programs;

/// Access to a Postgres through its socket; as root or as the user that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) socket_folder: PathBuf,
    pub(crate) name: &'static str,
}

impl Database {
    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let file = programs::find(program).with_context(|| format!("{program} is not installed"))?;
        let mut command = Command::new(file);
        command.arg("-h").arg(&self.socket_folder);
        command.args(["-U", "postgres"]);
        Ok(command)
    }

    /// Runs a query that returns one row; columns separated by `|`.
    pub(crate) async fn query(&self, query: &str) -> anyhow::Result<String> {
        let mut command = self.command("psql")?;
        let answer = output(command.args(["-d", self.name, "-qtAc", query])).await?;
        Ok(answer.trim().to_owned())
    }
}

/// Sequential single-row commits of one client.
#[derive(Debug)]
pub(crate) struct CommitBenchmark {
    database: Database,
    folder: PathBuf,
}

impl CommitBenchmark {
    /// Creates the table; `folder` receives the script and the logs.
    pub(crate) async fn prepare(database: &Database, folder: &Path) -> anyhow::Result<Self> {
        let database = Database {
            name: "postgres",
            ..database.clone()
        };
        let table = "CREATE TABLE bench_commit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                     at timestamptz NOT NULL, note text NOT NULL)";
        database.query(table).await?;
        let script = "INSERT INTO bench_commit (at, note) VALUES (now(), 'one row');\n";
        std::fs::write(folder.join("commit.sql"), script)?;
        let folder = folder.to_owned();
        Ok(Self { database, folder })
    }

    pub(crate) async fn measure(&self, duration: Duration) -> anyhow::Result<Latencies> {
        let seconds = duration.as_secs().max(1).to_string();
        let mut command = self.database.command("pgbench")?;
        command
            .current_dir(&self.folder)
            .args(["-n", "-M", "prepared", "-c", "1", "-f", "commit.sql", "-l"])
            .args(["--log-prefix", "commits", "-T", &seconds, self.database.name]);
        output(&mut command).await?;
        let mut latencies = Latencies::new();
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("commits.") {
                let log = std::fs::read_to_string(entry.path())?;
                std::fs::remove_file(entry.path())?;
                log.lines()
                    .filter_map(latency)
                    .for_each(|latency| latencies.record(latency));
            }
        }
        anyhow::ensure!(latencies.count() > 0, "pgbench logged nothing");
        Ok(latencies)
    }
}

/// The third field of a line of pgbench's log, in microseconds.
fn latency(line: &str) -> Option<Duration> {
    line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latency_is_read_from_a_line_of_pgbenchs_log() {
        assert_eq!(latency("0 1 812 0 1700000000 123456"), Some(Duration::from_micros(812)));
        assert_eq!(latency("0 1 failed 0 1700000000 123456"), None);
    }
}
