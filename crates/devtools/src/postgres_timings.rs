//! Measures the private Postgres on this machine: first start, next start, attach, recovery after `kill -9`, stop.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use embedded_postgres::{Options, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};

/// Without a directory: one below `/tmp`, removed afterwards.
pub(crate) fn run(directory: Option<&Path>) -> anyhow::Result<()> {
    if let Some(directory) = directory {
        return measure(directory);
    }
    // The server may run as another user.
    let scratch = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()?;
    measure(&scratch.path().join("pg"))
}

fn measure(directory: &Path) -> anyhow::Result<()> {
    for (what, folder, durable) in [("durable", "durable", true), ("not durable", "quick", false)] {
        let directory = directory.join(folder);
        let options = Options::new(&directory, "app").durable(durable);
        writeln!(std::io::stdout(), "{what}")?;
        let postgres = timed("first start, initdb included", || Ok(PrivatePostgres::start(&options)?))?;
        timed("stop", || Ok(postgres.stop()?))?;
        let postgres = timed("next start", || Ok(PrivatePostgres::start(&options)?))?;
        timed("attach to the running server", || {
            Ok(PrivatePostgres::attach_or_start(&options)?)
        })?;
        timed("recovery after kill -9", || kill_and_wait(&directory, &postgres))?;
        timed("stop", || Ok(postgres.stop()?))?;
    }
    Ok(())
}

/// Kills the server and waits until it answers again.
fn kill_and_wait(directory: &Path, postgres: &PrivatePostgres) -> anyhow::Result<()> {
    let file = fs::read_to_string(directory.join("data/postmaster.pid"))?;
    let first = file.lines().next().and_then(|line| line.parse().ok());
    let pid = first
        .and_then(Pid::from_raw)
        .context("no process id in postmaster.pid")?;
    kill_process(pid, Signal::KILL)?;
    let mut query = Command::new(postgres.programs().join("psql"));
    query.args(["-Xqc", "SELECT 1", "-d", &postgres.url()]);
    while !query.output()?.status.success() {}
    Ok(())
}

fn timed<T>(what: &str, action: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    let done = action()?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    writeln!(std::io::stdout(), "  {what:<34} {milliseconds:>7.0} ms")?;
    Ok(done)
}
