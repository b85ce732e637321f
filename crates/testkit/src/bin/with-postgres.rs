//! Runs a command with a Postgres for its tests: `with-postgres COMMAND [ARGUMENT…]`.
//!
//! The command finds the server's address in `TEST_POSTGRES_URL`. The server is private, not durable, and gone when the
//! command ends, whose exit status becomes ours (128 plus the signal's number if it was killed). SIGTERM and SIGHUP are
//! handed on to the command; a terminal's ^C reaches it anyway, so SIGINT is handed on only when there is no terminal.
#![expect(clippy::print_stderr, reason = "a command line tool says what went wrong")]

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{TEST_POSTGRES_URL, TestServer};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// As shells do for a command they cannot run.
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
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::from(CANNOT_RUN)
        }
    }
}

async fn run(program: OsString, arguments: Vec<OsString>) -> Result<ExitStatus, Box<dyn Error>> {
    // Before anything is started, so that no signal finds us unprepared.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let at_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();

    let server = tokio::task::spawn_blocking(TestServer::start).await??;
    let mut command = Command::new(&program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_cargo_run(name)) {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .env(TEST_POSTGRES_URL, server.url())
        .spawn()
        .map_err(|error| format!("could not run {}: {error}", program.display()))?;
    // Not reaped before `wait` below returns, so the id stays the child's own.
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let hand_on = |signal| pid.map_or(Ok(()), |pid| kill_process(pid, signal));

    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = terminate.recv() => hand_on(Signal::TERM)?,
            _ = hang_up.recv() => hand_on(Signal::HUP)?,
            _ = interrupt.recv() => if !at_terminal { hand_on(Signal::INT)? },
        }
    };
    tokio::task::spawn_blocking(|| server.stop()).await??;
    Ok(status)
}

/// What `cargo run` tells a program of that program's own package. A cargo below would pass it on to build scripts, which
/// run again when it changes, and build anew what depends on them.
fn is_of_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
