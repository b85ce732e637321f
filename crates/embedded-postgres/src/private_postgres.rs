//! The public handle: start or attach, URL, stop. Fixes the order: the directory, its lock, the cluster, the server.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::directory::{Directory, Lock};
use crate::supervisor::Supervisor;
use crate::{Error, Options, socket};

/// A running private Postgres, owned by this process or by another one (attached).
///
/// Dropping an owning handle stops the server like [`PrivatePostgres::stop`] and logs errors. Both block and terminate
/// open connections: close the client's pool first.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    database: String,
    /// `None` if attached.
    owned: Option<Owned>,
}

/// The order of the fields matters: the lock is released after the server has stopped.
#[derive(Debug)]
struct Owned {
    supervisor: Supervisor,
    _lock: Lock,
}

impl PrivatePostgres {
    /// Starts the server as the only owner of the directory and restarts it until it is stopped.
    ///
    /// The first start creates the data, later ones reuse it. Waits at most [`Options::wait_for_lock`] for a process that
    /// is ending, and stops a server that a killed process left running.
    ///
    /// Blocks until the server accepts connections, at most [`Options::wait_for_server`].
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another process owns the directory; otherwise the variant of the cause, whose message contains a
    /// remedy.
    pub fn start(options: &Options) -> Result<Self, Error> {
        options.check()?;
        let directory = Directory::open(&options.directory)?;
        let lock = directory.lock_within(options.wait_for_lock)?;
        Self::start_locked(&directory, lock, options)
    }

    /// Uses the server of the process that owns the directory; starts one if there is no owner.
    ///
    /// An attached handle never stops the server and does not prevent its owner from stopping it. Waits at most
    /// [`Options::wait_for_server`] for an owner that is starting; if the owner ends meanwhile, this process becomes the
    /// owner.
    ///
    /// # Errors
    ///
    /// [`Error::OwnerNotReady`] if the owner's server does not accept connections in time; otherwise as for
    /// [`PrivatePostgres::start`].
    pub fn attach_or_start(options: &Options) -> Result<Self, Error> {
        options.check()?;
        let directory = Directory::open(&options.directory)?;
        let until = Instant::now() + options.wait_for_server;
        let mut existing = None;
        loop {
            if let Some(lock) = directory.try_lock()? {
                return Self::start_locked(&directory, lock, options);
            }
            if existing.is_none() {
                existing = Cluster::existing(&directory, options)?;
            }
            // The owner may not have created the database yet. An error may mean that the server is stopping: retry.
            let running = existing.as_ref().filter(|cluster| cluster.accepts_connections());
            let error = match running.map(|cluster| (cluster, cluster.ensure_database(&options.database))) {
                Some((cluster, Ok(()))) => {
                    return Ok(Self {
                        cluster: cluster.clone(),
                        database: options.database.clone(),
                        owned: None,
                    });
                }
                Some((_, Err(error))) => Some(error),
                None => None,
            };
            if Instant::now() >= until {
                return Err(error.unwrap_or_else(|| Error::OwnerNotReady {
                    directory: directory.path.clone(),
                    pid: directory.owner_pid(),
                    waited: options.wait_for_server,
                }));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn start_locked(directory: &Directory, lock: Lock, options: &Options) -> Result<Self, Error> {
        let cluster = Cluster::prepare(directory, options)?;
        let supervisor = Supervisor::start(cluster.clone(), options.wait_for_server)?;
        let owned = Some(Owned {
            supervisor,
            _lock: lock,
        });
        let postgres = Self {
            cluster,
            database: options.database.clone(),
            owned,
        };
        postgres.cluster.ensure_database(&options.database)?;
        Ok(postgres)
    }

    /// The URL of the database: `postgres://postgres@localhost/NAME?host=FOLDER`, with the folder percent-encoded. It has no
    /// password, because only the server's user and root can enter the folder. It is the same after restarts and at the next
    /// start in the same directory.
    pub fn url(&self) -> String {
        socket::url(&self.cluster.socket, &self.database)
    }

    /// Measures the space that the server's user may still fill on the disk of the data directory, in bytes. The function
    /// blocks while the disk does not answer.
    pub fn disk(&self) -> impl Fn() -> io::Result<u64> + Send + Sync + use<> {
        let data = self.cluster.data.clone();
        move || {
            let disk = rustix::fs::statvfs(&data)?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        }
    }

    /// Whether this process owns the directory. Then no other process works on the database, and everything that an earlier
    /// process left open in it is abandoned. `false` if attached.
    pub fn is_owner(&self) -> bool {
        self.owned.is_some()
    }

    /// The folder of the Unix socket.
    pub fn socket(&self) -> &Path {
        &self.cluster.socket
    }

    /// The folder of the server programs, and of `psql` if the client programs are installed.
    pub fn programs(&self) -> &Path {
        &self.cluster.programs
    }

    /// Stops an owned server with a fast, clean shutdown (typically 0.1 s). Does nothing if attached.
    ///
    /// # Errors
    ///
    /// [`Error::StopTimeout`] if the server still runs after 40 s; it then ends with this process.
    pub fn stop(mut self) -> Result<(), Error> {
        self.owned.as_mut().map_or(Ok(()), |owned| owned.supervisor.stop())
    }
}
