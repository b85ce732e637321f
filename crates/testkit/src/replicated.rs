//! A primary with a synchronous standby, for tests of failovers.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::Command;

use embedded_postgres::{Error, Options, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};

use crate::scratch::Scratch;

/// Two servers: what the primary commits is on the standby too. Both stop on drop.
#[derive(Debug)]
pub struct ReplicatedServers {
    /// Declared before the primary and the directory, so that it is dropped first.
    standby: PrivatePostgres,
    primary: PrivatePostgres,
    scratch: Scratch,
}

impl ReplicatedServers {
    /// Starts both, and waits until they accept connections. Blocks.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::start`].
    pub fn start() -> Result<Self, Error> {
        let scratch = Scratch::new().map_err(of_file(std::env::temp_dir()))?;
        let [first, second] = ["primary", "standby"].map(|name| scratch.path().join(name));
        // Without `fsync`, but a commit waits for the standby.
        let server = |directory: &PathBuf| {
            let options = Options::new(directory, "postgres").durable(false);
            options.setting("synchronous_commit", "on")
        };
        PrivatePostgres::start(&server(&first))?.stop()?;
        copy(&first, &second).map_err(of_file(second.clone()))?;

        let primary = PrivatePostgres::start(&server(&first).setting("synchronous_standby_names", "*"))?;
        let socket = primary.socket().display().to_string();
        let conninfo = format!("host={socket} port=5432 user=postgres application_name=standby");
        let standby = server(&second).setting("primary_conninfo", conninfo);
        Ok(Self {
            standby: PrivatePostgres::start(&standby)?,
            primary,
            scratch,
        })
    }

    /// The URL of the database `postgres` of the primary.
    pub fn primary_url(&self) -> String {
        self.primary.url()
    }

    /// The URL of the database `postgres` of the standby.
    pub fn standby_url(&self) -> String {
        self.standby.url()
    }

    /// Kills the primary's server without a warning. It comes back as a primary of its own, which can commit nothing as
    /// long as no standby follows it.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn kill_primary(&self) {
        let file = self.scratch.path().join("primary/data/postmaster.pid");
        let text = fs::read_to_string(file).expect("it runs");
        let pid = text
            .lines()
            .next()
            .and_then(|line| line.parse().ok())
            .and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::KILL).expect("it runs");
    }
}

/// Copies the directory of a stopped server, with its owners, and makes a standby of the copy.
fn copy(from: &PathBuf, to: &PathBuf) -> io::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    if !copied.success() {
        return Err(io::Error::other("cp failed"));
    }
    let (data, signal) = (to.join("data"), to.join("data/standby.signal"));
    fs::write(&signal, "")?;
    let owner = fs::metadata(data)?;
    chown(&signal, Some(owner.uid()), Some(owner.gid()))
}

fn of_file(path: PathBuf) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::File {
        action: "create a directory in",
        path,
        source,
    }
}
