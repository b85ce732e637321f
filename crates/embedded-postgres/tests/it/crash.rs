//! `kill -9` of the process, of the server, of both, and during the first start.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use embedded_postgres::{Options, PrivatePostgres};

use crate::support::{
    OwnerProcess, as_owner_of, eventually, kill_9, quick, scratch, server_pid, sql, sql_when_restarted, try_sql,
};

/// Attaches to the server of another process and creates a table with one row.
fn insert_row(directory: &Path) {
    let attached = PrivatePostgres::attach_or_start(&Options::new(directory, "app")).unwrap();
    assert!(!attached.is_owner());
    sql(&attached, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
}

#[test]
fn a_start_after_a_kill_of_the_process_finds_every_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);
    insert_row(&directory);

    owner.kill_9();
    let successor = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();

    assert_eq!(sql(&successor, "SELECT count(*) FROM kept"), "1");
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_of_a_killed_process_shuts_down_cleanly() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);

    owner.kill_9();

    // Postgres removes the file only at the end of a clean shutdown.
    eventually("the server has shut down", || {
        server_pid(&directory).is_none().then_some(())
    });
}

#[test]
fn a_start_after_a_kill_of_process_and_server_finds_every_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);
    insert_row(&directory);

    kill_9(server_pid(&directory).unwrap());
    owner.kill_9();
    let successor = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();

    assert_eq!(sql(&successor, "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_killed_server_is_restarted_with_every_committed_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();
    sql(&postgres, "CREATE TABLE kept (id int)");
    let killed = AtomicBool::new(false);

    // given a writer that inserts continuously, one commit per row, and records acknowledged rows
    let acknowledged = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for id in 0.. {
                match try_sql(&postgres, &format!("INSERT INTO kept VALUES ({id})")) {
                    Ok(_) => acknowledged.push(id.to_string()),
                    Err(_) if killed.load(Ordering::SeqCst) => return acknowledged,
                    Err(error) => panic!("failed before the server was killed: {error}"),
                }
            }
            unreachable!("the range is infinite")
        });
        // when the server is killed meanwhile
        eventually("some rows exist", || {
            let count: u32 = sql(&postgres, "SELECT count(*) FROM kept").parse().unwrap();
            (count >= 5).then_some(())
        });
        killed.store(true, Ordering::SeqCst);
        kill_9(server_pid(&directory).unwrap());
        writer.join().unwrap()
    });

    // then it is restarted at the same address and has every acknowledged row
    let found = sql_when_restarted(&postgres, "SELECT id FROM kept ORDER BY id");
    let found: Vec<&str> = found.lines().collect();
    assert!(acknowledged.len() >= 5);
    assert_eq!(found[..acknowledged.len()], acknowledged);
    assert!(
        found.len() <= acknowledged.len() + 1,
        "at most the insert in flight may also have been committed"
    );
}

#[test]
fn a_server_is_restarted_after_every_kill() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();
    let mut earlier = None;
    for _ in 0..3 {
        let server = eventually("a new server runs", || {
            server_pid(&directory).filter(|pid| Some(*pid) != earlier)
        });
        assert_eq!(sql_when_restarted(&postgres, "SELECT 1"), "1");
        kill_9(server);
        earlier = Some(server);
    }
    assert_eq!(sql_when_restarted(&postgres, "SELECT 1"), "1");
    postgres.stop().unwrap();
    assert!(server_pid(&directory).is_none());
}

#[test]
fn a_stop_during_a_restart_leaves_no_server() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();

    kill_9(server_pid(&directory).unwrap());
    postgres.stop().unwrap();

    // The stale process id in the file of the killed server does not prevent the next start.
    let next = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert_eq!(sql(&next, "SELECT 1"), "1");
}

#[test]
fn a_stale_server_is_stopped_before_a_new_one_starts() {
    let scratch = scratch();
    let directory = scratch
        .path()
        .join("pg")
        .canonicalize()
        .unwrap_or_else(|_| scratch.path().join("pg"));
    let first = PrivatePostgres::start(&quick(&directory)).unwrap();
    sql(&first, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    let program = first.programs().join("postgres");
    first.stop().unwrap();

    // given a server on the same data that survived its parent
    let (data, run) = (directory.join("data"), directory.join("run"));
    let mut stale = Command::new(program);
    stale
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&run)
        .args(["-c", "listen_addresses="])
        .current_dir("/");
    as_owner_of(&data, &mut stale);
    let mut stale = stale.stderr(Stdio::null()).spawn().unwrap();
    eventually("the stale server runs", || {
        server_pid(&directory).filter(|pid| pid.as_raw_pid().unsigned_abs() == stale.id())
    });

    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();

    assert!(
        stale.wait().unwrap().success(),
        "the stale server was shut down cleanly, not killed"
    );
    assert_eq!(sql(&postgres, "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_lock_file_with_the_process_id_of_an_unrelated_process_does_not_prevent_a_start() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);
    insert_row(&directory);
    kill_9(server_pid(&directory).unwrap());
    owner.kill_9();

    // given lock files of the killed server with the id of an unrelated process of the same user
    let mut another = Command::new("sleep");
    as_owner_of(&directory.join("data"), another.arg("1000"));
    let mut another = another.spawn().unwrap();
    for file in ["data/postmaster.pid", "run/.s.PGSQL.5432.lock"] {
        let path = directory.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(&path, format!("{}\n{rest}", another.id())).unwrap();
    }

    let successor = PrivatePostgres::start(&Options::new(&directory, "app"));

    assert!(
        another.try_wait().unwrap().is_none(),
        "the unrelated process still runs"
    );
    another.kill().unwrap();
    another.wait().unwrap();
    assert_eq!(sql(&successor.unwrap(), "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_start_after_a_kill_during_the_first_start_works() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::launch(&directory);
    eventually("initdb runs", || {
        let entries = fs::read_dir(&directory).ok()?.flatten();
        entries
            .map(|entry| entry.path())
            .find(|path| path.join("global").exists())
    });

    owner.kill_9();
    assert!(!directory.join("data").exists(), "killed before initdb was complete");
    let successor = PrivatePostgres::start(&quick(&directory)).unwrap();

    assert_eq!(sql(&successor, "SELECT 1"), "1");
}
