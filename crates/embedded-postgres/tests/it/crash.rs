//! What is left after `kill -9` of the process, of the server, of both, and of a first start half-way.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use embedded_postgres::{Options, PrivatePostgres};

use crate::support::{
    Holder, as_owner_of, eventually, kill_9, quick, scratch, server_pid, sql, sql_when_back, try_sql,
};

/// A handle on the server of a process beside us, with a table of one row.
fn with_a_row(directory: &Path) -> PrivatePostgres {
    let beside = PrivatePostgres::attach_or_start(&Options::new(directory, "app")).unwrap();
    assert!(!beside.is_owner());
    sql(&beside, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    beside
}

#[test]
fn a_start_right_after_our_process_was_killed_finds_every_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);
    with_a_row(&directory);

    holder.kill_9();
    let successor = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();

    assert_eq!(sql(&successor, "SELECT count(*) FROM kept"), "1");
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_of_a_killed_process_shuts_down_cleanly_by_itself() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);

    holder.kill_9();

    // Postgres removes the file at the very end of a clean shutdown, and only then.
    eventually("the server has shut down", || {
        server_pid(&directory).is_none().then_some(())
    });
}

#[test]
fn a_start_right_after_process_and_server_were_killed_finds_every_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);
    with_a_row(&directory);

    kill_9(server_pid(&directory).unwrap());
    holder.kill_9();
    let successor = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();

    assert_eq!(sql(&successor, "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_server_killed_under_us_comes_back_with_every_committed_row() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&Options::new(&directory, "app")).unwrap();
    sql(&postgres, "CREATE TABLE kept (id int)");
    let killed = AtomicBool::new(false);

    // given somebody who writes without a pause, one commit a row, and notes what was acknowledged
    let acknowledged = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut noted = Vec::new();
            for id in 0.. {
                match try_sql(&postgres, &format!("INSERT INTO kept VALUES ({id})")) {
                    Ok(_) => noted.push(id.to_string()),
                    Err(_) if killed.load(Ordering::SeqCst) => return noted,
                    Err(error) => panic!("refused before the server was killed: {error}"),
                }
            }
            unreachable!("the numbers do not run out")
        });
        // when the server is killed in the middle of it
        eventually("some rows are there", || {
            let count: u32 = sql(&postgres, "SELECT count(*) FROM kept").parse().unwrap();
            (count >= 5).then_some(())
        });
        killed.store(true, Ordering::SeqCst);
        kill_9(server_pid(&directory).unwrap());
        writer.join().unwrap()
    });

    // then it comes back by itself, at the same address, and has what it acknowledged
    let found = sql_when_back(&postgres, "SELECT id FROM kept ORDER BY id");
    let found: Vec<&str> = found.lines().collect();
    assert!(acknowledged.len() >= 5);
    assert_eq!(found[..acknowledged.len()], acknowledged);
    assert!(
        found.len() <= acknowledged.len() + 1,
        "at most the insert under way may have been committed as well"
    );
}

#[test]
fn a_server_killed_again_and_again_comes_back_every_time() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();
    let mut earlier = None;
    for _ in 0..3 {
        let server = eventually("another server runs", || {
            server_pid(&directory).filter(|pid| Some(*pid) != earlier)
        });
        assert_eq!(sql_when_back(&postgres, "SELECT 1"), "1");
        kill_9(server);
        earlier = Some(server);
    }
    assert_eq!(sql_when_back(&postgres, "SELECT 1"), "1");
    postgres.stop().unwrap();
    assert!(server_pid(&directory).is_none());
}

#[test]
fn a_stop_while_the_server_is_being_brought_back_leaves_nothing_running() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();

    kill_9(server_pid(&directory).unwrap());
    postgres.stop().unwrap();

    // Whatever number the killed server left in its file, nobody answers to it, and the next start is an ordinary one.
    let next = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert_eq!(sql(&next, "SELECT 1"), "1");
}

#[test]
fn a_server_left_behind_is_ended_before_ours_starts() {
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

    // given a server on our data that no death signal ended
    let (data, run) = (directory.join("data"), directory.join("run"));
    let mut left_behind = Command::new(program);
    left_behind
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&run)
        .args(["-c", "listen_addresses="])
        .current_dir("/");
    as_owner_of(&data, &mut left_behind);
    let mut left_behind = left_behind.stderr(Stdio::null()).spawn().unwrap();
    eventually("it runs", || {
        server_pid(&directory).filter(|pid| pid.as_raw_pid().unsigned_abs() == left_behind.id())
    });

    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();

    assert!(
        left_behind.wait().unwrap().success(),
        "it was shut down cleanly, not killed"
    );
    assert_eq!(sql(&postgres, "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_lock_file_whose_process_id_now_belongs_to_somebody_else_is_no_obstacle() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);
    with_a_row(&directory);
    kill_9(server_pid(&directory).unwrap());
    holder.kill_9();

    // given the files of the killed server, in a world where its id has been given to another process of its user
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

    assert!(another.try_wait().unwrap().is_none(), "it has nothing to do with us");
    another.kill().unwrap();
    another.wait().unwrap();
    assert_eq!(sql(&successor.unwrap(), "SELECT count(*) FROM kept"), "1");
}

#[test]
fn a_first_start_killed_half_way_is_repaired_by_the_next() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::launch(&directory);
    eventually("initdb is at work", || {
        let entries = fs::read_dir(&directory).ok()?.flatten();
        entries
            .map(|entry| entry.path())
            .find(|path| path.join("global").exists())
    });

    holder.kill_9();
    assert!(!directory.join("data").exists(), "killed before the data was complete");
    let successor = PrivatePostgres::start(&quick(&directory)).unwrap();

    assert_eq!(sql(&successor, "SELECT 1"), "1");
}
