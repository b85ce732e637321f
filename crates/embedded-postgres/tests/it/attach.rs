//! Two processes and one directory: who starts, who attaches, who waits.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use embedded_postgres::{Error, PrivatePostgres};

use crate::support::{Holder, PATIENCE, eventually, quick, scratch, server_pid, sql};

/// Holds the lock as a process does that has no server (yet, or any more).
fn hold(directory: &Path) -> File {
    fs::create_dir_all(directory).unwrap();
    let file = File::create(directory.join("postgres.lock")).unwrap();
    file.try_lock().unwrap();
    file
}

#[test]
fn a_second_start_is_refused_with_the_process_that_holds_the_directory() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);

    let error = PrivatePostgres::start(&quick(&directory).wait_for_lock(Duration::ZERO)).unwrap_err();

    assert!(
        matches!(error, Error::Held { pid: Some(pid), .. } if pid == holder.pid()),
        "{error}"
    );
    assert!(error.to_string().contains("already runs the database in"), "{error}");
    holder.finish();
}

#[test]
fn a_second_start_in_the_same_process_is_refused_too() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let _first = PrivatePostgres::start(&quick(&directory)).unwrap();
    let second = PrivatePostgres::start(&quick(&directory).wait_for_lock(Duration::ZERO));
    assert!(matches!(second, Err(Error::Held { .. })));
}

#[test]
fn a_start_waits_a_moment_for_a_holder_that_is_leaving() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let leaving = hold(&directory);
    thread::scope(|scope| {
        let start = scope.spawn(|| PrivatePostgres::start(&quick(&directory).wait_for_lock(PATIENCE)));
        drop(leaving);
        assert!(start.join().unwrap().unwrap().is_owner());
    });
}

#[test]
fn a_command_beside_a_running_process_uses_its_server_and_leaves_it_running() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let holder = Holder::start(&directory);
    let server = server_pid(&directory);

    let beside = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();
    assert!(!beside.is_owner());
    sql(&beside, "CREATE TABLE kept (id int)");
    beside.stop().unwrap();
    let again = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();
    assert_eq!(sql(&again, "SELECT count(*) FROM kept"), "0");
    drop(again);

    assert_eq!(server_pid(&directory), server);
    holder.finish();
}

#[test]
fn a_command_in_a_free_directory_starts_the_server_and_stops_it() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");

    let alone = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();
    assert!(alone.is_owner());
    assert_eq!(sql(&alone, "SELECT 1"), "1");
    alone.stop().unwrap();

    assert!(server_pid(&directory).is_none());
}

#[test]
fn a_command_waits_for_a_process_that_is_still_starting() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let mut holder = Holder::launch(&directory);
    eventually("the directory is held", || {
        fs::read_to_string(directory.join("postgres.lock"))
            .ok()
            .filter(|pid| pid.trim() == holder.pid().to_string())
    });

    let beside = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();

    assert!(!beside.is_owner());
    assert_eq!(sql(&beside, "SELECT current_database()"), "app");
    assert_eq!(holder.next_word(), "up");
    holder.finish();
}

#[test]
fn a_command_takes_the_place_of_a_process_that_dies_before_its_server_is_up() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let dying = hold(&directory);
    thread::scope(|scope| {
        let command = scope.spawn(|| PrivatePostgres::attach_or_start(&quick(&directory)));
        drop(dying);
        assert!(command.join().unwrap().unwrap().is_owner());
    });
}

#[test]
fn a_command_gives_up_on_a_holder_whose_server_never_answers() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let _stuck = hold(&directory);

    let error = PrivatePostgres::attach_or_start(&quick(&directory).wait_for_server(Duration::ZERO)).unwrap_err();

    assert!(matches!(error, Error::HolderNotReady { .. }), "{error}");
}

#[test]
fn many_commands_at_once_share_one_server() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let all = thread::scope(|scope| {
        let commands: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| PrivatePostgres::attach_or_start(&quick(&directory))))
            .collect();
        commands
            .into_iter()
            .map(|command| command.join().unwrap().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(all.iter().filter(|postgres| postgres.is_owner()).count(), 1);
    for postgres in &all {
        assert_eq!(sql(postgres, "SELECT 1"), "1");
    }
}
