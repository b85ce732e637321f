//! Errors of the private Postgres: one variant per cause, each message with a remedy. Nothing is logged here.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the private Postgres could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server programs were not found.
    #[error(
        "no PostgreSQL server programs found in {}: install them (Debian, Ubuntu: package postgresql; only its programs \
         are needed, `create_main_cluster = false` in /etc/postgresql-common/createcluster.conf before the installation \
         prevents a system cluster), set PG_BIN_DIR to the folder of initdb and postgres, or set DATABASE_URL to use \
         another server",
        searched.display()
    )]
    NoBinaries {
        /// The configured folder, or a summary of the searched folders.
        searched: PathBuf,
    },
    /// Only unsupported versions are installed.
    #[error(
        "PostgreSQL {major} in {} is too old: install version {oldest} or later, or set DATABASE_URL",
        directory.display()
    )]
    TooOld {
        /// The major version found.
        major: u32,
        /// The oldest supported major version.
        oldest: u32,
        /// The folder of its programs.
        directory: PathBuf,
    },
    /// The major version that wrote the data is not installed; others cannot read the data.
    #[error(
        "the data in {} requires PostgreSQL {data}, but only {installed} is installed: install PostgreSQL {data}, \
         set PG_BIN_DIR to its programs, or migrate the data with pg_upgrade",
        directory.display()
    )]
    MajorVersionMismatch {
        /// The data directory.
        directory: PathBuf,
        /// The major version that wrote the data.
        data: u32,
        /// The newest installed major version.
        installed: u32,
    },
    /// The data directory exists, but is incomplete. It is never overwritten.
    #[error(
        "{} is not a complete PostgreSQL data directory (no readable PG_VERSION): restore it from a backup, or move it \
         away to start with an empty database",
        directory.display()
    )]
    DamagedData {
        /// The data directory.
        directory: PathBuf,
    },
    /// The directory contains files that this crate did not create.
    #[error("{} is not empty and was not created by this program: choose an empty or a new directory", directory.display())]
    NotEmpty {
        /// The configured directory.
        directory: PathBuf,
    },
    /// A directory belongs to another user, or others have access to it.
    #[error(
        "{} must be a directory of user id {expected} without access for others (owner {owner}, mode {mode:o}): \
         run the program as its owner, change the owner with chown, or choose another directory",
        directory.display()
    )]
    WrongOwnership {
        /// The directory, or one in it.
        directory: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// The user id that must own it.
        expected: u32,
    },
    /// As root: the server's user has no access to the directory.
    #[error(
        "the user {user:?}, which runs PostgreSQL, has no access to {}: choose a directory that is not below a \
         private home such as /root, for example one below /var/lib",
        directory.display()
    )]
    Unreachable {
        /// The directory that the user must be able to enter.
        directory: PathBuf,
        /// The name of the user.
        user: String,
    },
    /// Another process owns the directory.
    #[error(
        "another process{} already runs the database in {}: stop it first, or choose another directory",
        process(*.pid),
        directory.display()
    )]
    InUse {
        /// The configured directory.
        directory: PathBuf,
        /// The owner, if its process id could be read.
        pid: Option<u32>,
    },
    /// Another process owns the directory, but its server did not accept connections in time.
    #[error(
        "another process{} runs the database in {}, but the database accepted no connections within {} s: see the log \
         of that process",
        process(*.pid),
        directory.display(),
        waited.as_secs()
    )]
    OwnerNotReady {
        /// The configured directory.
        directory: PathBuf,
        /// The owner, if its process id could be read.
        pid: Option<u32>,
        /// The timeout.
        waited: Duration,
    },
    /// The process runs as root, and there is no unprivileged user for the server, which refuses to run as root.
    #[error(
        "running as root, but neither of the users postgres and nobody exists to run PostgreSQL: add one, or set DATABASE_URL"
    )]
    NoServiceUser,
    /// `initdb` requires a user name; in containers with an arbitrary user id there is none.
    #[error("user id {uid} has no entry in /etc/passwd, which PostgreSQL requires: add one, or set DATABASE_URL")]
    NoPasswdEntry {
        /// The user id of the process.
        uid: u32,
    },
    /// `initdb` failed.
    #[error("could not create a database cluster in {}: {detail}", directory.display())]
    Initdb {
        /// The data directory.
        directory: PathBuf,
        /// Standard error of `initdb`.
        detail: String,
    },
    /// The server of a killed process did not stop.
    #[error(
        "a server of an earlier process (process {pid}) still runs in {} and does not stop: stop it, then start again",
        directory.display()
    )]
    StaleServer {
        /// The data directory.
        directory: PathBuf,
        /// The process id of that server.
        pid: u32,
    },
    /// The server ended before it accepted connections.
    #[error("PostgreSQL did not start; the end of its log:\n{log}")]
    StartFailed {
        /// The last lines of the server's log.
        log: String,
    },
    /// The server runs, but accepts no connections.
    #[error("PostgreSQL accepted no connections within {} s; the end of its log:\n{log}", waited.as_secs())]
    StartTimeout {
        /// The timeout.
        waited: Duration,
        /// The last lines of the server's log.
        log: String,
    },
    /// The server did not stop.
    #[error("PostgreSQL did not stop within {} s", waited.as_secs())]
    StopTimeout {
        /// The timeout.
        waited: Duration,
    },
    /// The database name is invalid.
    #[error("invalid database name {name:?}: 1 to 63 lower-case letters, digits and underscores are allowed")]
    DatabaseName {
        /// The configured name.
        name: String,
    },
    /// `createdb` failed.
    #[error("could not create the database {name:?}: {detail}")]
    CreateDatabase {
        /// The name of the database.
        name: String,
        /// Standard error of `createdb`.
        detail: String,
    },
    /// A program could not be run.
    #[error("could not run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file operation failed.
    #[error("could not {action} {}", path.display())]
    File {
        /// The operation.
        action: &'static str,
        /// Its path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("could not start a thread for PostgreSQL")]
    Thread(#[source] io::Error),
}

impl Error {
    /// For `map_err` after a file operation.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// For `map_err` after starting a program.
    pub(crate) fn run(program: &Path) -> impl FnOnce(io::Error) -> Self {
        let program = program.to_owned();
        move |source| Self::Run { program, source }
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
