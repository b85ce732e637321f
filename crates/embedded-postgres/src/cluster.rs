//! A database cluster: its data, its socket, and its programs, each run as the right user with a clean environment. The
//! server process belongs to `supervisor`, the lock to `private_postgres`.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::directory::Directory;
use crate::user::ServiceUser;
use crate::{Error, Options, binaries, socket};

/// Prefix of the directory in which `initdb` works; a unique number follows.
const SCRATCH: &str = "data.new.";

/// For a service with one connection pool and a few concurrent commands.
const DEFAULTS: [&str; 2] = ["max_connections=60", "shared_buffers=64MB"];
/// Loses commits only in a power failure.
const NOT_DURABLE: [&str; 3] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
/// Required by this crate, so they are passed last and override all others.
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
    /// The pause between two looks at the programs.
    pub(crate) watch_programs: Duration,
}

impl Cluster {
    /// The cluster in `directory`, created if it does not exist. The caller must hold the lock.
    pub(crate) fn prepare(directory: &Directory, options: &Options) -> Result<Self, Error> {
        let run = directory.run();
        directory.make_private(&run)?;
        let major = data_major(&directory.data())?;
        let cluster = Self::locate(directory, options, major)?;
        cluster.check_reachable(&run)?;
        if cluster.socket != run {
            directory.make_private(&cluster.socket)?;
        }
        remove_scratch(&directory.path);
        if major.is_none() {
            cluster.initialise(directory)?;
        }
        Ok(cluster)
    }

    /// The cluster in `directory` that another process runs; `None` until it has data.
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
            watch_programs: options.watch_programs,
        })
    }

    /// Whether the programs, which may have been replaced, can run this data.
    pub(crate) fn programs_fit(&self) -> bool {
        let fit = data_major(&self.data).and_then(|major| binaries::find(Some(&self.programs), &self.data, major));
        fit.is_ok()
    }

    /// Whether the server accepts connections.
    pub(crate) fn accepts_connections(&self) -> bool {
        let mut command = self.command("pg_isready");
        command
            .args(["-q", "-t", "2", "-p", "5432", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(&self.socket);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Creates the database if it does not exist. The server must run.
    pub(crate) fn ensure_database(&self, name: &str) -> Result<(), Error> {
        let mut command = self.command("createdb");
        command
            .args(["-p", "5432", "-U", "postgres", "-h"])
            .arg(&self.socket)
            .arg(name);
        let output = output(&mut command)?;
        let message = String::from_utf8_lossy(&output.stderr);
        // Concurrent creation fails with a violation of the unique index. A standby has the databases of its primary.
        let exists = ["already exists", "pg_database_datname_index", "read-only transaction"]
            .iter()
            .any(|text| message.contains(text));
        if output.status.success() || exists {
            Ok(())
        } else {
            Err(Error::CreateDatabase {
                name: name.to_owned(),
                detail: message.trim().to_owned(),
            })
        }
    }

    /// The server in the foreground; its standard streams are not configured yet.
    pub(crate) fn server_command(&self) -> Command {
        let mut command = self.command("postgres");
        // Two separate arguments: `stale_server` looks for them in the command line.
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

    /// One of Postgres's programs, as the server's user. The clean environment excludes `PGDATA`, `PGPORT` and similar; the
    /// separate process group excludes a terminal's ^C, because the supervisor stops the server.
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

    /// Checks that the server's user can enter `run`, by running a program as that user with `run` as its working
    /// directory: a child changes its user before its directory.
    fn check_reachable(&self, run: &Path) -> Result<(), Error> {
        let Some(user) = &self.service_user else { return Ok(()) };
        match output(self.command("postgres").arg("--version").current_dir(run)) {
            Ok(_) => Ok(()),
            Err(Error::Run { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                // Report instead that the user cannot run the program, if that is the cause.
                output(self.command("postgres").arg("--version"))?;
                Err(Error::Unreachable {
                    directory: run.to_owned(),
                    user: user.name.clone(),
                })
            }
            Err(other) => Err(other),
        }
    }

    /// Runs `initdb` in a scratch directory and renames it, so that a kill leaves no incomplete data. Each attempt has its
    /// own name, because an `initdb` of a killed process may still be writing.
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
        // Locale C: an update of the C library cannot change the order of texts and corrupt indexes.
        command.arg("--no-locale");
        if !self.durable {
            command.arg("--no-sync");
        }
        let output = output(&mut command)?;
        if !output.status.success() {
            let detail = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let _ = fs::remove_dir_all(&scratch);
            if detail.contains("could not look up effective user ID") {
                return Err(Error::NoPasswdEntry {
                    uid: directory.server_uid(),
                });
            }
            return Err(Error::Initdb {
                directory: self.data.clone(),
                detail,
            });
        }
        fs::rename(&scratch, &self.data).map_err(Error::file("rename the new data directory to", &self.data))?;
        // The rename must survive a power failure.
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

/// The major version that wrote the data; `None` if there is no data directory. A directory without a readable version is
/// an error, so that it is never overwritten.
fn data_major(data: &Path) -> Result<Option<u32>, Error> {
    match fs::symlink_metadata(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read the metadata of", data)(error)),
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

/// Removes the scratch directories of killed starts. The next start retries what cannot be removed now.
fn remove_scratch(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
