//! What a commit of one row costs on the gateway's own Postgres, by `pgbench`: the mark for the idle latency.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::Command;

use crate::latencies::Latencies;
use crate::process::output;
use crate::programs;

/// Logs in to a Postgres by its socket; as root or as the user that runs it.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    pub(crate) folder: PathBuf,
    pub(crate) database: &'static str,
}

impl Socket {
    pub(crate) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let file = programs::find(program).with_context(|| format!("{program} is not installed"))?;
        let mut command = Command::new(file);
        command.arg("-h").arg(&self.folder);
        command.args(["-U", "postgres"]);
        Ok(command)
    }

    /// The one value that a query answers.
    pub(crate) async fn ask(&self, query: &str) -> anyhow::Result<String> {
        let mut command = self.command("psql")?;
        let answer = output(command.args(["-d", self.database, "-qtAc", query])).await?;
        Ok(answer.trim().to_owned())
    }
}

/// Single-row commits, one after another, of one client.
#[derive(Debug)]
pub(crate) struct Commits {
    socket: Socket,
    folder: PathBuf,
}

impl Commits {
    /// Makes the table. `folder` is for files that come and go.
    pub(crate) async fn prepare(socket: &Socket, folder: &Path) -> anyhow::Result<Self> {
        let socket = Socket {
            database: "postgres",
            ..socket.clone()
        };
        let table = "CREATE TABLE bench_commit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                     at timestamptz NOT NULL, note text NOT NULL)";
        socket.ask(table).await?;
        let script = "INSERT INTO bench_commit (at, note) VALUES (now(), 'one row');\n";
        std::fs::write(folder.join("commit.sql"), script)?;
        let folder = folder.to_owned();
        Ok(Self { socket, folder })
    }

    /// How long each of them took.
    pub(crate) async fn measure(&self, measured: Duration) -> anyhow::Result<Latencies> {
        let seconds = measured.as_secs().max(1).to_string();
        let mut command = self.socket.command("pgbench")?;
        command
            .current_dir(&self.folder)
            .args(["-n", "-M", "prepared", "-c", "1", "-f", "commit.sql", "-l"])
            .args(["--log-prefix", "commits", "-T", &seconds, self.socket.database]);
        output(&mut command).await?;
        let mut latencies = Latencies::new();
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("commits.") {
                let log = std::fs::read_to_string(entry.path())?;
                std::fs::remove_file(entry.path())?;
                log.lines().filter_map(took).for_each(|took| latencies.record(took));
            }
        }
        anyhow::ensure!(latencies.count() > 0, "pgbench logged nothing");
        Ok(latencies)
    }
}

/// The third field of a line of pgbench's log: microseconds.
fn took(line: &str) -> Option<Duration> {
    line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_pgbenchs_log_tells_microseconds() {
        assert_eq!(took("0 1 812 0 1700000000 123456"), Some(Duration::from_micros(812)));
        assert_eq!(took("0 1 failed 0 1700000000 123456"), None);
    }
}
