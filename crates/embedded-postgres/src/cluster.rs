//! One database cluster: its data, its socket, and the programs that work on it, each run as the right user in a clean
//! environment. Keeps no process running (that is `keeper`) and takes no lock (that is `private_postgres`).

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::directory::Directory;
use crate::user::ServiceUser;
use crate::{Error, Options, binaries, socket};

/// `initdb` works under such a name, followed by a number that no other start has used.
const SCRATCH: &str = "data.new.";

/// Sized for a service with one connection pool and a few commands beside it.
const DEFAULTS: [&str; 2] = ["max_connections=60", "shared_buffers=64MB"];
/// Loses commits in a power cut and nowhere else.
const NOT_DURABLE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
/// What the rest of this crate counts on, so it comes last.
const FIXED: [&str; 5] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "logging_collector=off",
    "log_destination=stderr",
];

#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) data: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) programs: PathBuf,
    service_user: Option<ServiceUser>,
    durable: bool,
    settings: Vec<(String, String)>,
}

impl Cluster {
    /// The cluster in `directory`, made if there is none yet. Only for whoever holds the lock.
    pub(crate) fn prepare(directory: &Directory, options: &Options) -> Result<Self, Error> {
        let run = directory.run();
        directory.make_private(&run)?;
        let major = data_major(&directory.data())?;
        let cluster = Self::locate(directory, options, major)?;
        cluster.check_reachable(&run)?;
        if cluster.socket != run {
            directory.make_private(&cluster.socket)?;
        }
        sweep_scratch(&directory.path);
        if major.is_none() {
            cluster.initialise(directory)?;
        }
        Ok(cluster)
    }

    /// The cluster in `directory` as another process runs it; `None` while there is no data yet.
    pub(crate) fn existing(directory: &Directory, options: &Options) -> Result<Option<Self>, Error> {
        match data_major(&directory.data())? {
            None => Ok(None),
            major => Self::locate(directory, options, major).map(Some),
        }
    }

    fn locate(directory: &Directory, options: &Options, major: Option<u32>) -> Result<Self, Error> {
        let data = directory.data();
        let programs = binaries::find(options.binaries.as_deref(), &data, major)?.folder;
        Ok(Self {
            data,
            socket: socket::folder(directory)?,
            programs,
            service_user: directory.service_user.clone(),
            durable: options.durable,
            settings: options.settings.clone(),
        })
    }

    /// Whether the server takes connections now.
    pub(crate) fn answers(&self) -> bool {
        let mut command = self.command("pg_isready");
        command
            .args(["-q", "-t", "2", "-p", "5432", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(&self.socket);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes the database in the running server unless it is there.
    pub(crate) fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let mut command = self.command("createdb");
        command
            .args(["-p", "5432", "-U", "postgres", "-h"])
            .arg(&self.socket)
            .arg(name);
        let answer = output(&mut command)?;
        let said = String::from_utf8_lossy(&answer.stderr);
        // The second message is what the slower of two simultaneous attempts is told.
        let there = said.contains("already exists") || said.contains("pg_database_datname_index");
        if answer.status.success() || there {
            Ok(())
        } else {
            Err(Error::CreateDatabase {
                name: name.to_owned(),
                detail: said.trim().to_owned(),
            })
        }
    }

    /// The server itself, in the foreground, still without its standard streams.
    pub(crate) fn server_command(&self) -> Command {
        let mut command = self.command("postgres");
        // `-D` and the path are two arguments, by which `predecessor` knows one of our servers.
        command.arg("-D").arg(&self.data).arg("-k").arg(&self.socket);
        let not_durable = if self.durable { &[][..] } else { &NOT_DURABLE[..] };
        for setting in DEFAULTS.iter().chain(not_durable) {
            command.args(["-c", setting]);
        }
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for setting in FIXED {
            command.args(["-c", setting]);
        }
        command
    }

    /// One of Postgres's programs, as the server's user. A clean environment keeps `PGDATA`, `PGPORT` and their like
    /// out; a process group of its own keeps a terminal's ^C away, since stopping is our part.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        command.current_dir("/").process_group(0);
        if let Some(user) = &self.service_user {
            user.applied_to(&mut command);
        }
        command
    }

    /// Every folder above must let the server's user pass. Whether they do is found out by going there as that user:
    /// the working directory of a child is entered after it has changed users.
    fn check_reachable(&self, run: &Path) -> Result<(), Error> {
        let Some(user) = &self.service_user else { return Ok(()) };
        match output(self.command("postgres").arg("--version").current_dir(run)) {
            Ok(_) => Ok(()),
            Err(Error::Run { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                // It may as well be the program that this user cannot run; that error speaks for itself.
                output(self.command("postgres").arg("--version"))?;
                Err(Error::Unreachable {
                    directory: run.to_owned(),
                    user: user.name.clone(),
                })
            }
            Err(other) => Err(other),
        }
    }

    /// `initdb` under a scratch name, then a rename: killed at any moment, it leaves no half-made data behind. The name
    /// is never used twice, because an `initdb` that outlived its killed caller may still be writing.
    fn initialise(&self, directory: &Directory) -> Result<(), Error> {
        let number = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        let scratch = directory.path.join(format!("{SCRATCH}{number}"));
        directory.make_private(&scratch)?;
        let mut command = self.command("initdb");
        command
            .arg("-D")
            .arg(&scratch)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--data-checksums"]);
        // The order of texts never changes with the C library, so an update of the machine breaks no index.
        command.arg("--no-locale");
        if !self.durable {
            command.arg("--no-sync");
        }
        let answer = output(&mut command)?;
        if !answer.status.success() {
            let detail = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            let _ = fs::remove_dir_all(&scratch);
            if detail.contains("could not look up effective user ID") {
                return Err(Error::NoAccount {
                    uid: directory.server_uid(),
                });
            }
            return Err(Error::Initdb {
                directory: self.data.clone(),
                detail,
            });
        }
        fs::rename(&scratch, &self.data).map_err(Error::file("rename the new database to", &self.data))?;
        // The rename itself has to survive a power cut as well.
        let parent = &directory.path;
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(Error::file("sync", parent))
    }
}

fn output(command: &mut Command) -> Result<Output, Error> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::run(Path::new(command.get_program()))(source))
}

/// The major version that wrote the data; `None` where there is no data folder. A folder without a readable version is
/// never taken for a new one.
fn data_major(data: &Path) -> Result<Option<u32>, Error> {
    match fs::symlink_metadata(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("look at", data)(error)),
        Ok(_) => {}
    }
    let version = fs::read_to_string(data.join("PG_VERSION")).unwrap_or_default();
    match version.trim().parse() {
        Ok(major) => Ok(Some(major)),
        Err(_) => Err(Error::DamagedData {
            directory: data.to_owned(),
        }),
    }
}

/// Throws away what a killed `initdb` left. What cannot be removed now is tried again at the next start.
fn sweep_scratch(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
