//! Runs a command with a Postgres for tests: `with-postgres COMMAND [ARGUMENT…]`.
//!
//! `TEST_POSTGRES_URL` contains the URL of the server, which is private, not durable, and removed after the command, as is
//! the directory for temporary files in `TMPDIR`.
//! Returns the exit status of the command (128 plus the number of the signal that killed it). Forwards SIGTERM and SIGHUP,
//! and SIGINT if there is no terminal: a terminal's ^C reaches the command directly.
#![expect(clippy::print_stderr, reason = "a command-line tool reports its errors")]

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{TEST_POSTGRES_URL, TestServer};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// The exit status of shells for a command that cannot be run.
const CANNOT_RUN: u8 = 127;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with-postgres COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    match run(program, arguments.collect()).await {
        Ok(status) => ExitCode::from(code(status)),
        Err(error) => {
            eprintln!("with-postgres: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  caused by: {cause}"));
            ExitCode::from(CANNOT_RUN)
        }
    }
}

async fn run(program: OsString, arguments: Vec<OsString>) -> Result<ExitStatus, Box<dyn Error>> {
    // Before the server starts, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let at_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();

    let server = tokio::task::spawn_blocking(TestServer::start).await??;
    let mut command = Command::new(&program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_set_by_cargo_run(name)) {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .env(TEST_POSTGRES_URL, server.url())
        .env("TMPDIR", server.temporary_directory()?)
        .spawn()
        .map_err(|error| format!("could not run {}: {error}", program.display()))?;
    // The id is not reused before `wait` below has returned.
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let forward = |signal| pid.map_or(Ok(()), |pid| kill_process(pid, signal));

    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = terminate.recv() => forward(Signal::TERM)?,
            _ = hang_up.recv() => forward(Signal::HUP)?,
            _ = interrupt.recv() => if !at_terminal { forward(Signal::INT)? },
        }
    };
    tokio::task::spawn_blocking(|| server.stop()).await??;
    Ok(status)
}

/// Variables of `cargo run` about this package. A nested cargo would pass them to build scripts and rebuild crates when
/// they change.
fn is_set_by_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
