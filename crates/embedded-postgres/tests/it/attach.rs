//! Two processes with one directory: start, attach, wait.

use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use embedded_postgres::{Error, PrivatePostgres};

use crate::support::{OwnerProcess, TIMEOUT, eventually, quick, scratch, server_pid, sql};

/// Locks the directory without a server.
fn lock(directory: &Path) -> File {
    fs::create_dir_all(directory).unwrap();
    let file = File::create(directory.join("postgres.lock")).unwrap();
    file.try_lock().unwrap();
    file
}

#[test]
fn a_second_start_is_rejected_with_the_process_id_of_the_owner() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);

    let error = PrivatePostgres::start(&quick(&directory).wait_for_lock(Duration::ZERO)).unwrap_err();

    assert!(
        matches!(error, Error::InUse { pid: Some(pid), .. } if pid == owner.pid()),
        "{error}"
    );
    assert!(error.to_string().contains("already runs the database in"), "{error}");
    owner.finish();
}

#[test]
fn a_second_start_in_the_same_process_is_rejected() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let _first = PrivatePostgres::start(&quick(&directory)).unwrap();
    let second = PrivatePostgres::start(&quick(&directory).wait_for_lock(Duration::ZERO));
    assert!(matches!(second, Err(Error::InUse { .. })));
}

#[test]
fn a_start_waits_for_an_owner_that_is_ending() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let ending = lock(&directory);
    thread::scope(|scope| {
        let start = scope.spawn(|| PrivatePostgres::start(&quick(&directory).wait_for_lock(TIMEOUT)));
        drop(ending);
        assert!(start.join().unwrap().unwrap().is_owner());
    });
}

#[test]
fn an_attached_command_uses_the_server_of_the_owner_and_leaves_it_running() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let owner = OwnerProcess::start(&directory);
    let server = server_pid(&directory);

    let attached = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();
    assert!(!attached.is_owner());
    sql(&attached, "CREATE TABLE kept (id int)");
    attached.stop().unwrap();
    let again = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();
    assert_eq!(sql(&again, "SELECT count(*) FROM kept"), "0");
    drop(again);

    assert_eq!(server_pid(&directory), server);
    owner.finish();
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
fn a_command_waits_for_an_owner_that_is_starting() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let mut owner = OwnerProcess::launch(&directory);
    eventually("the directory is locked", || {
        fs::read_to_string(directory.join("postgres.lock"))
            .ok()
            .filter(|pid| pid.trim() == owner.pid().to_string())
    });

    let attached = PrivatePostgres::attach_or_start(&quick(&directory)).unwrap();

    assert!(!attached.is_owner());
    assert_eq!(sql(&attached, "SELECT current_database()"), "app");
    assert_eq!(owner.next_message(), "up");
    owner.finish();
}

#[test]
fn a_command_becomes_the_owner_if_the_owner_ends_before_its_server_runs() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let ending = lock(&directory);
    thread::scope(|scope| {
        let command = scope.spawn(|| PrivatePostgres::attach_or_start(&quick(&directory)));
        drop(ending);
        assert!(command.join().unwrap().unwrap().is_owner());
    });
}

#[test]
fn a_command_times_out_if_the_server_of_the_owner_never_accepts_connections() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let _stuck = lock(&directory);

    let error = PrivatePostgres::attach_or_start(&quick(&directory).wait_for_server(Duration::ZERO)).unwrap_err();

    assert!(matches!(error, Error::OwnerNotReady { .. }), "{error}");
}

#[test]
fn concurrent_commands_share_one_server() {
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
