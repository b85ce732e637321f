//! How long the private Postgres takes on this machine: first start, next start, attach, recovery after `kill -9` of the
//! server, stop. `cargo run -p embedded-postgres --example timings [DIRECTORY]`; without a directory, one below `/tmp`
//! that is removed afterwards.
#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use embedded_postgres::{Options, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(directory) = std::env::args_os().nth(1) {
        return measure(Path::new(&directory));
    }
    let scratch = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()?;
    measure(&scratch.path().join("pg"))
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    for (what, durable) in [("durable", true), ("not durable", false)] {
        let options = Options::new(directory.join(if durable { "durable" } else { "quick" }), "app").durable(durable);
        println!("{what}");
        let postgres = timed("first start, initdb included", || PrivatePostgres::start(&options))?;
        timed("stop", || postgres.stop())?;
        let postgres = timed("next start", || PrivatePostgres::start(&options))?;
        timed("attach beside it", || PrivatePostgres::attach_or_start(&options))?;
        timed("killed, until it answers again", || {
            kill_and_wait(&options_directory(directory, durable), &postgres)
        })?;
        timed("stop", || postgres.stop())?;
    }
    Ok(())
}

fn options_directory(directory: &Path, durable: bool) -> PathBuf {
    directory.join(if durable { "durable" } else { "quick" })
}

fn kill_and_wait(directory: &Path, postgres: &PrivatePostgres) -> Result<(), Box<dyn Error>> {
    let file = fs::read_to_string(directory.join("data/postmaster.pid"))?;
    let pid = file
        .lines()
        .next()
        .and_then(|line| Pid::from_raw(line.parse().ok()?))
        .ok_or("no process id")?;
    kill_process(pid, Signal::KILL)?;
    let mut asked = Command::new(postgres.programs().join("psql"));
    asked.args(["-Xqc", "SELECT 1", "-d", &postgres.url()]);
    while !asked.output()?.status.success() {}
    Ok(())
}

fn timed<T, E>(what: &str, action: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let begun = Instant::now();
    let done = action()?;
    println!("  {what:<34} {:>7.0} ms", begun.elapsed().as_secs_f64() * 1000.0);
    Ok(done)
}
