//! Start, stop, restart; the settings of the server and the permissions of its directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use embedded_postgres::{Options, PrivatePostgres};

use crate::support::{is_root, quick, scratch, server_pid, sql};

#[test]
fn a_first_start_creates_the_database_and_a_stop_ends_the_server() {
    let scratch = scratch();
    let directory = scratch.path().join("not/there/yet");

    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert!(postgres.is_owner());
    assert!(
        postgres.url().starts_with("postgres://postgres@localhost/app?host=/"),
        "{}",
        postgres.url()
    );
    assert_eq!(sql(&postgres, "SELECT current_database()"), "app");
    assert!(server_pid(&directory).is_some());

    postgres.stop().unwrap();
    assert!(server_pid(&directory).is_none());
}

#[test]
fn rows_survive_a_stop_and_a_drop() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");

    let first = PrivatePostgres::start(&quick(&directory)).unwrap();
    let url = first.url();
    sql(&first, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    first.stop().unwrap();

    let second = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert_eq!(second.url(), url);
    sql(&second, "INSERT INTO kept VALUES (2)");
    drop(second);
    assert!(server_pid(&directory).is_none());

    let third = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert_eq!(sql(&third, "SELECT count(*) FROM kept"), "2");
}

#[test]
fn the_server_is_durable_by_default() {
    let scratch = scratch();
    let durability = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), \
                      current_setting('full_page_writes')";

    let durable = PrivatePostgres::start(&Options::new(scratch.path().join("pg"), "app")).unwrap();
    assert_eq!(sql(&durable, durability), "on|on|on");
    durable.stop().unwrap();

    let quick = PrivatePostgres::start(&quick(&scratch.path().join("pg"))).unwrap();
    assert_eq!(sql(&quick, durability), "off|off|off");
}

#[test]
fn a_setting_overrides_a_default_but_opens_no_port() {
    let scratch = scratch();
    let options = quick(&scratch.path().join("pg"))
        .setting("max_connections", "33")
        .setting("listen_addresses", "localhost")
        .setting("unix_socket_permissions", "0777");

    let postgres = PrivatePostgres::start(&options).unwrap();

    let settings = "SELECT current_setting('max_connections'), current_setting('listen_addresses'), \
                    current_setting('unix_socket_permissions')";
    assert_eq!(sql(&postgres, settings), "33||0700");
}

#[test]
fn a_second_database_name_adds_a_database_to_the_same_data() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    PrivatePostgres::start(&quick(&directory)).unwrap().stop().unwrap();

    let other = PrivatePostgres::start(&Options::new(&directory, "other").durable(false)).unwrap();

    assert_eq!(
        sql(
            &other,
            "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"
        ),
        "app\nother\npostgres"
    );
}

#[test]
fn a_path_too_long_for_a_socket_works() {
    let scratch = scratch();
    let directory = scratch.path().join("x".repeat(200));
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
    let folder = postgres.url().split_once("?host=").unwrap().1.to_owned();
    assert!(folder.starts_with("/tmp/"), "{folder}");
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    postgres.stop().unwrap();
    fs::remove_dir(folder).unwrap();
}

#[test]
fn a_path_with_special_characters_works() {
    let scratch = scratch();
    let postgres = PrivatePostgres::start(&quick(&scratch.path().join("a b+c%20ü&d"))).unwrap();
    assert!(
        postgres.url().ends_with("/a%20b%2Bc%2520%C3%BC%26d/run"),
        "{}",
        postgres.url()
    );
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
}

#[test]
fn a_path_with_a_comma_works() {
    let scratch = scratch();
    let postgres = PrivatePostgres::start(&quick(&scratch.path().join("a,b"))).unwrap();
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
    let folder = postgres.url().split_once("?host=").unwrap().1.to_owned();
    postgres.stop().unwrap();
    fs::remove_dir(folder).unwrap();
}

#[test]
fn the_root_of_a_new_volume_counts_as_empty() {
    let scratch = scratch();
    fs::create_dir(scratch.path().join("lost+found")).unwrap();
    let postgres = PrivatePostgres::start(&quick(scratch.path())).unwrap();
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
}

#[test]
fn the_server_is_unprivileged_and_its_directory_private() {
    let scratch = scratch();
    let directory = scratch.path().join("pg");
    let postgres = PrivatePostgres::start(&quick(&directory)).unwrap();

    let uid = rustix::process::geteuid().as_raw();
    let data = fs::metadata(directory.join("data")).unwrap();
    let run = fs::metadata(directory.join("run")).unwrap();
    let root = fs::metadata(&directory).unwrap();
    assert_eq!(sql(&postgres, "SELECT 1"), "1");
    assert_eq!((data.mode() & 0o777, run.mode() & 0o777), (0o700, 0o700));
    assert_eq!(root.uid(), uid);
    if is_root() {
        assert_ne!(data.uid(), 0);
        assert_eq!(root.mode() & 0o777, 0o711);
    } else {
        assert_eq!(data.uid(), uid);
        assert_eq!(root.mode() & 0o777, 0o700);
    }
    let server = server_pid(&directory).unwrap().as_raw_pid();
    assert_eq!(
        fs::metadata(format!("/proc/{server}")).map_or(data.uid(), |process| process.uid()),
        data.uid()
    );
}
