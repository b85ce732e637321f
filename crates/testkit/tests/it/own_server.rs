//! Without `TEST_POSTGRES_URL` a process starts its own server, which must not survive it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, thread};

use testkit::{TEST_POSTGRES_URL, TestDatabase, TestServer};

const RUN: &str = "TESTKIT_RUN_AND_EXIT";

#[test]
fn a_process_that_exits_leaves_no_server_and_the_next_one_removes_its_directory() {
    // A separate temporary directory, so that no other test removes abandoned directories in it.
    let temporary = scratch();
    let this_program = env::current_exe().unwrap();
    let run = |test: &str| {
        let mut command = Command::new(&this_program);
        command
            .args(["--exact", test, "--ignored"])
            .env(RUN, "1")
            .env("TMPDIR", temporary.path());
        command.env_remove(TEST_POSTGRES_URL).status().unwrap()
    };

    assert_eq!(run("own_server::exits_without_cleanup").code(), Some(33));

    let [left] = directories(temporary.path()).try_into().unwrap();
    until("its server has shut down", || {
        left.join("pg/data/PG_VERSION").exists() && !left.join("pg/data/postmaster.pid").exists()
    });
    assert_eq!(run("own_server::exits_without_cleanup").code(), Some(33));
    let [next] = directories(temporary.path()).try_into().unwrap();
    assert_ne!(next, left, "the second run has removed the directory of the first");
    until("the second server has shut down", || {
        !next.join("pg/data/postmaster.pid").exists()
    });
}

#[test]
fn a_stopped_server_leaves_no_files() {
    let server = TestServer::start().unwrap();
    let url = server.url();
    let run = PathBuf::from(url.split_once("?host=").unwrap().1);
    assert!(run.exists());
    server.stop().unwrap();
    assert!(!run.parent().unwrap().parent().unwrap().exists());
}

#[tokio::test]
#[ignore = "not a test: a process that other tests start"]
async fn exits_without_cleanup() {
    if env::var_os(RUN).is_none() {
        return;
    }
    let database = TestDatabase::empty().await;
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(database.pool()).await.unwrap();
    std::process::exit(32 + one);
}

/// A directory that every user may enter.
pub(crate) fn scratch() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

pub(crate) fn directories(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Fails after a minute.
pub(crate) fn until(condition: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "timeout: {condition}");
        thread::sleep(Duration::from_millis(10));
    }
}
