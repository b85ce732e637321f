//! Each cause that prevents a start has its own error and leaves existing files unchanged.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use embedded_postgres::{Error, Options, PrivatePostgres};

use crate::support::{OwnerProcess, copy_for_all_users, is_root, quick, scratch, sql};

#[expect(clippy::print_stderr, reason = "a skipped test must not pass silently")]
fn skipped_unless_root(test: &str) -> bool {
    if !is_root() {
        eprintln!("SKIPPED, requires root: {test}");
    }
    !is_root()
}

#[test]
fn a_directory_with_other_files_is_rejected_and_left_unchanged() {
    let scratch = scratch();
    fs::write(scratch.path().join("thesis.txt"), "years of work").unwrap();

    let error = PrivatePostgres::start(&quick(scratch.path())).unwrap_err();

    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    assert_eq!(
        fs::metadata(scratch.path()).unwrap().permissions().mode() & 0o777,
        0o755
    );
}

#[test]
fn missing_programs_are_reported_with_a_remedy() {
    let scratch = scratch();
    let nothing_here = scratch.path().join("bin");
    fs::create_dir(&nothing_here).unwrap();

    let options = quick(&scratch.path().join("pg")).binaries(&nothing_here);
    let error = PrivatePostgres::start(&options).unwrap_err();

    assert!(
        matches!(&error, Error::NoBinaries { searched } if *searched == nothing_here),
        "{error}"
    );
    for advice in [
        "package postgresql",
        "create_main_cluster = false",
        "PG_BIN_DIR",
        "DATABASE_URL",
    ] {
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn the_folder_of_programs_can_be_configured() {
    let scratch = scratch();
    let found = PrivatePostgres::start(&quick(&scratch.path().join("one"))).unwrap();
    let given = quick(&scratch.path().join("two")).binaries(found.programs());
    let postgres = PrivatePostgres::start(&given).unwrap();
    assert_eq!(postgres.programs(), found.programs());
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
}

#[test]
fn data_of_another_major_version_is_rejected_and_left_unchanged() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    PrivatePostgres::start(&quick(&directory)).unwrap().stop().unwrap();
    let version = directory.join("data/PG_VERSION");
    let original = fs::read_to_string(&version).unwrap();

    fs::write(&version, "7\n").unwrap();
    let error = PrivatePostgres::start(&quick(&directory)).unwrap_err();
    assert!(matches!(error, Error::MajorVersionMismatch { data: 7, .. }), "{error}");

    fs::write(&version, original).unwrap();
    PrivatePostgres::start(&quick(&directory)).unwrap();
}

#[test]
fn damaged_data_is_rejected_and_never_replaced() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    PrivatePostgres::start(&quick(&directory)).unwrap().stop().unwrap();
    fs::remove_file(directory.join("data/PG_VERSION")).unwrap();

    let error = PrivatePostgres::start(&quick(&directory)).unwrap_err();

    assert!(matches!(error, Error::DamagedData { .. }), "{error}");
    assert!(directory.join("data/base").exists());
}

#[test]
fn a_failed_start_is_reported_with_the_end_of_the_log() {
    let scratch = scratch();
    let options = quick(&scratch.path().join("pg")).setting("shared_buffers", "a lot");

    let error = PrivatePostgres::start(&options).unwrap_err();

    assert!(
        matches!(&error, Error::StartFailed { log } if log.contains("shared_buffers")),
        "{error}"
    );
}

#[test]
fn a_server_is_stopped_after_a_start_timeout() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let error = PrivatePostgres::start(&quick(&directory).wait_for_server(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, Error::StartTimeout { .. }), "{error}");
    // The lock is released as well.
    PrivatePostgres::start(&quick(&directory).wait_for_lock(Duration::ZERO)).unwrap();
}

#[test]
fn a_database_name_that_requires_quoting_is_rejected() {
    let scratch = scratch();
    for name in ["", "-x", "Upper", "a b", "a?b", &"x".repeat(64)] {
        let error = PrivatePostgres::start(&Options::new(scratch.path().join("pg"), name)).unwrap_err();
        assert!(matches!(error, Error::DatabaseName { .. }), "{error}");
    }
    assert!(!scratch.path().join("pg").exists());
}

#[test]
fn a_socket_folder_with_access_for_others_is_rejected() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    PrivatePostgres::start(&quick(&directory)).unwrap().stop().unwrap();
    fs::set_permissions(directory.join("run"), Permissions::from_mode(0o777)).unwrap();

    let error = PrivatePostgres::start(&quick(&directory)).unwrap_err();

    assert!(matches!(error, Error::WrongOwnership { mode: 0o777, .. }), "{error}");
}

#[test]
fn a_directory_of_another_user_is_rejected() {
    if skipped_unless_root("a directory of another user") {
        return;
    }
    let scratch = scratch();
    chown(scratch.path(), Some(65_534), None).unwrap();
    let error = PrivatePostgres::start(&quick(scratch.path())).unwrap_err();
    assert!(
        matches!(
            error,
            Error::WrongOwnership {
                owner: 65_534,
                expected: 0,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn as_root_a_directory_below_a_private_home_is_rejected() {
    if skipped_unless_root("a directory below a private home") {
        return;
    }
    let scratch = scratch();
    let home = scratch.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();

    let error = PrivatePostgres::start(&quick(&home.join("pg"))).unwrap_err();

    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("below a private home"), "{error}");
}

#[test]
fn a_user_id_without_a_name_is_reported() {
    if skipped_unless_root("a user id without a name") {
        return;
    }
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(54_321), Some(54_321)).unwrap();
    let mut this_program = Command::new(copy_for_all_users(scratch.path()));
    this_program.uid(54_321).gid(54_321).current_dir("/");

    let message = OwnerProcess::launch_by(&directory, this_program).next_message();

    assert_eq!(message, "NoPasswdEntry { uid: 54321 }");
}
