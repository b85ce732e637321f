//! What can go wrong with the private Postgres, one variant a cause, each message saying what to do about it.
//! Nothing is logged here; the caller shows the message (and its sources) to whoever started the program.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the private Postgres could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's programs are not on this machine, or not where we were told to look.
    #[error(
        "no PostgreSQL server programs found in {}: install them (Debian, Ubuntu: apt-get install postgresql), \
         set PG_BIN_DIR to the folder that holds initdb and postgres, or set DATABASE_URL to use a server of your own",
        looked_in.display()
    )]
    NoBinaries {
        /// The folder we were told to use, or a summary of where we looked.
        looked_in: PathBuf,
    },
    /// Only versions that lack what we need are installed.
    #[error(
        "PostgreSQL {major} in {} is too old: {} or later is needed; install a newer one, or set DATABASE_URL",
        directory.display(),
        crate::binaries::OLDEST_MAJOR
    )]
    TooOld {
        /// The major version found.
        major: u32,
        /// Where its programs are.
        directory: PathBuf,
    },
    /// The data was written by a major version whose programs are not installed; majors cannot read each other's data.
    #[error(
        "the data in {} belongs to PostgreSQL {data}, and only {installed} is installed: install PostgreSQL {data}, \
         set PG_BIN_DIR to its programs, or move the data over with pg_upgrade",
        directory.display()
    )]
    OtherMajor {
        /// Postgres's own folder.
        directory: PathBuf,
        /// The major version that wrote the data.
        data: u32,
        /// The newest major version installed.
        installed: u32,
    },
    /// The data folder exists, but is not a whole database cluster. It is never overwritten.
    #[error(
        "{} is not a whole PostgreSQL data directory (no readable PG_VERSION): put it back from a copy, or move it away \
         to begin with an empty database",
        directory.display()
    )]
    DamagedData {
        /// Postgres's own folder.
        directory: PathBuf,
    },
    /// The directory holds files that this crate did not put there.
    #[error("{} is not empty and was not made by this program: choose an empty or a new directory", directory.display())]
    ForeignDirectory {
        /// The directory asked for.
        directory: PathBuf,
    },
    /// The directory, or one in it, belongs to another user, or others may enter it.
    #[error(
        "{} must be a directory that belongs to user id {expected} alone (it belongs to {owner}, mode {mode:o}): \
         run the program as its owner, give it over with chown, or choose another directory",
        directory.display()
    )]
    NotOurs {
        /// The directory in question.
        directory: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// Whose it has to be.
        expected: u32,
    },
    /// As root: the user that the server runs as cannot enter the directory.
    #[error(
        "{} cannot be reached by the user {user:?}, as whom PostgreSQL runs: choose a directory that is not below a \
         private home such as /root, for example one below /var/lib",
        directory.display()
    )]
    Unreachable {
        /// The directory that has to be reached.
        directory: PathBuf,
        /// The name of that user.
        user: String,
    },
    /// Another process runs the database in this directory.
    #[error(
        "another process{} already runs the database in {}: stop it first, or choose another directory",
        holder(*.pid),
        directory.display()
    )]
    Held {
        /// The directory asked for.
        directory: PathBuf,
        /// The process that holds it, where it could be read.
        pid: Option<u32>,
    },
    /// Another process holds the directory, and its server did not answer in time.
    #[error(
        "another process{} runs the database in {}, but it did not answer within {} s: see what that process logs",
        holder(*.pid),
        directory.display(),
        waited.as_secs()
    )]
    HolderNotReady {
        /// The directory asked for.
        directory: PathBuf,
        /// The process that holds it, where it could be read.
        pid: Option<u32>,
        /// How long we waited.
        waited: Duration,
    },
    /// We are root, and there is nobody to run the server as (it refuses to run as root).
    #[error(
        "running as root, and neither a user postgres nor nobody exists to run PostgreSQL as: add one, or set DATABASE_URL"
    )]
    NoServiceUser,
    /// `initdb` wants a user name, and this user id has none (containers with an arbitrary user id).
    #[error(
        "user id {uid} has no entry in /etc/passwd, without which PostgreSQL does not run: add one, or set DATABASE_URL"
    )]
    NoAccount {
        /// The user id we run as.
        uid: u32,
    },
    /// `initdb` failed.
    #[error("could not make a new database in {}: {detail}", directory.display())]
    Initdb {
        /// Postgres's own folder.
        directory: PathBuf,
        /// What `initdb` said.
        detail: String,
    },
    /// A server left behind by a killed process was told to stop and did not.
    #[error("an earlier server (process {pid}) still runs in {} and does not stop: end it, then start again", directory.display())]
    PredecessorStays {
        /// Postgres's own folder.
        directory: PathBuf,
        /// The process of that server.
        pid: u32,
    },
    /// The server ended before it took connections.
    #[error("PostgreSQL did not come up; the end of its log:\n{log}")]
    DidNotComeUp {
        /// The last lines of the server's log.
        log: String,
    },
    /// The server runs, but takes no connections.
    #[error("PostgreSQL took no connections within {} s; the end of its log:\n{log}", waited.as_secs())]
    TookTooLong {
        /// How long we waited.
        waited: Duration,
        /// The last lines of the server's log.
        log: String,
    },
    /// The server did not end, however firmly it was told to.
    #[error("PostgreSQL did not stop within {} s", waited.as_secs())]
    DidNotStop {
        /// How long we waited.
        waited: Duration,
    },
    /// The name cannot be used for a database.
    #[error("{name:?} is no usable database name: 1 to 63 lower-case letters, digits and underscores")]
    DatabaseName {
        /// The name asked for.
        name: String,
    },
    /// The database could not be made in the running server.
    #[error("could not make the database {name:?}: {detail}")]
    CreateDatabase {
        /// The name asked for.
        name: String,
        /// What `createdb` said.
        detail: String,
    },
    /// A program could not be run at all.
    #[error("could not run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file system refused.
    #[error("could not {action} {}", path.display())]
    File {
        /// What we were about to do.
        action: &'static str,
        /// To which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system gave us no thread.
    #[error("could not start a thread to look after PostgreSQL")]
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

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
