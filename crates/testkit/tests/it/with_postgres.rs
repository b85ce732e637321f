//! The program `with-postgres`: server, exit status, signals.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::own_server::{directories, scratch};

const WAIT: &str = "TESTKIT_WAIT_FOR_A_SIGNAL";

/// `with-postgres sh -c SCRIPT` with its own temporary directory.
fn with_postgres(script: &str, temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-postgres"));
    command.args(["sh", "-c", script]).env("TMPDIR", temporary);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn the_command_gets_a_server_and_its_exit_status_is_returned() {
    let temporary = scratch();

    let output = with_postgres(
        "psql -XAtc 'SHOW fsync' \"$TEST_POSTGRES_URL\" && exit 7",
        temporary.path(),
    )
    .output()
    .unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), "off\n");
    assert_eq!(output.status.code(), Some(7));
    assert!(
        directories(temporary.path()).is_empty(),
        "the server's directory is gone"
    );
}

#[test]
fn variables_of_cargo_run_are_removed() {
    let temporary = scratch();
    let output = with_postgres(
        "echo \"[$CARGO_PKG_NAME] [$CARGO_MANIFEST_DIR] [$CARGO_HOME]\"",
        temporary.path(),
    )
    .envs([
        ("CARGO_PKG_NAME", "testkit"),
        ("CARGO_MANIFEST_DIR", "/x"),
        ("CARGO_HOME", "/y"),
    ])
    .output()
    .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[] [] [/y]\n");
}

#[test]
fn a_missing_command_is_reported_and_leaves_no_files() {
    let temporary = scratch();
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-postgres"));
    let output = command
        .arg("no-such-command")
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not run no-such-command"));
    assert!(directories(temporary.path()).is_empty());
}

#[test]
fn without_a_command_the_usage_is_printed() {
    let output = Command::new(env!("CARGO_BIN_EXE_with-postgres")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: with-postgres COMMAND"));
}

#[test]
fn a_command_killed_by_a_signal_returns_128_plus_its_number() {
    let temporary = scratch();
    let output = with_postgres("kill -KILL $$", temporary.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(128 + 9));
}

#[test]
fn sigterm_is_forwarded_to_the_command() {
    assert_eq!(status_after(Signal::TERM), Some(15));
}

#[test]
fn sighup_is_forwarded_to_the_command() {
    assert_eq!(status_after(Signal::HUP), Some(1));
}

#[test]
fn without_a_terminal_sigint_is_forwarded_to_the_command() {
    assert_eq!(status_after(Signal::INT), Some(2));
}

/// Sends the signal to `with-postgres` while its command handles signals; returns the exit status.
fn status_after(signal: Signal) -> Option<i32> {
    let temporary = scratch();
    let this_program = env::current_exe().unwrap();
    let script = format!(
        "exec {} --exact with_postgres::waits_for_a_signal --ignored --nocapture",
        this_program.display()
    );
    let mut child = with_postgres(&script, temporary.path()).env(WAIT, "1").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "waiting"));

    kill_process(Pid::from_child(&child), signal).unwrap();

    let status = child.wait().unwrap();
    assert!(
        directories(temporary.path()).is_empty(),
        "the server's directory is gone"
    );
    status.code()
}

#[tokio::test]
#[ignore = "not a test: the command that other tests send signals to"]
async fn waits_for_a_signal() {
    if env::var_os(WAIT).is_none() {
        return;
    }
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let mut hang_up = signal(SignalKind::hangup()).unwrap();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    println!("waiting");
    let received = tokio::select! {
        _ = terminate.recv() => Signal::TERM,
        _ = hang_up.recv() => Signal::HUP,
        _ = interrupt.recv() => Signal::INT,
    };
    std::process::exit(received.as_raw());
}
