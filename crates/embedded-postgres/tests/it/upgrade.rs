//! A package upgrade that replaces the programs of a running server.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use embedded_postgres::PrivatePostgres;

use crate::support::{eventually, quick, scratch, server_pid, sql, sql_when_restarted};

/// The programs that are copied. The rest of the installation is found by the paths that are compiled in.
const PROGRAMS: [&str; 5] = ["initdb", "postgres", "pg_isready", "createdb", "psql"];
const PAUSE: Duration = Duration::from_millis(50);

/// The folder of the installed programs.
fn installed() -> PathBuf {
    let scratch = scratch();
    let postgres = PrivatePostgres::start(&quick(&scratch.path().join("pg"))).unwrap();
    fs::canonicalize(postgres.programs()).unwrap()
}

/// Copies of the programs, with other inodes.
fn copy(installed: &Path, folder: &Path) {
    fs::create_dir(folder).unwrap();
    for program in PROGRAMS {
        fs::copy(installed.join(program), folder.join(program)).unwrap();
    }
}

#[test]
fn a_server_whose_programs_were_replaced_is_restarted_with_the_new_ones() {
    let (installed, scratch) = (installed(), scratch());
    let [old, new, programs, directory] = ["15.1", "15.2", "bin", "pg"].map(|name| scratch.path().join(name));
    copy(&installed, &old);
    symlink(&old, &programs).unwrap();
    let options = quick(&directory).binaries(&programs).watch_programs(PAUSE);
    let postgres = PrivatePostgres::start(&options).unwrap();
    sql(&postgres, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
    let first = server_pid(&directory).unwrap();

    fs::remove_file(&programs).unwrap();
    copy(&installed, &new);
    symlink(&new, &programs).unwrap();
    let begun = Instant::now();
    let second = eventually("the server is restarted", || {
        server_pid(&directory).filter(|pid| *pid != first)
    });
    assert_eq!(sql_when_restarted(&postgres, "SELECT count(*) FROM kept"), "1");
    eprintln!("restarted after {:?}, looking every {PAUSE:?}", begun.elapsed());
    let program = fs::metadata(format!("/proc/{}/exe", second.as_raw_pid())).unwrap();
    assert_eq!(program.ino(), fs::metadata(new.join("postgres")).unwrap().ino());

    postgres.stop().unwrap();
}
