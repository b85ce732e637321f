//! The handle that callers hold: start or attach, the address, stop. The order of things is decided here: first the
//! directory, then its lock, then what needs the lock.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::directory::{Directory, Lock};
use crate::keeper::Keeper;
use crate::{Error, Options, socket};

/// A private Postgres that takes connections: our own server, or the one of a process beside us.
///
/// Dropping the handle of our own stops it as [`PrivatePostgres::stop`] does, and logs what goes wrong; both block, and
/// connections still open are cut. Close the client's pool first.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    database: String,
    own: Option<Own>,
}

/// In this order: the lock is let go of after the server has stopped.
#[derive(Debug)]
struct Own {
    keeper: Keeper,
    _lock: Lock,
}

impl PrivatePostgres {
    /// Starts the server in a directory that no other process may hold, and keeps it running until stopped.
    ///
    /// The first start makes the data, later ones reuse it. A process that was just killed gets a moment to let go of
    /// the directory ([`Options::wait_for_lock`]), and its server is ended before ours starts.
    ///
    /// Blocks until the server takes connections, for at most [`Options::wait_for_server`].
    ///
    /// # Errors
    ///
    /// [`Error::Held`] when another process keeps the directory; otherwise the variant that names the cause, with a
    /// message that says what to do about it.
    pub fn start(options: &Options) -> Result<Self, Error> {
        options.check()?;
        let directory = Directory::open(&options.directory)?;
        let lock = directory.lock_within(options.wait_for_lock)?;
        Self::start_locked(&directory, lock, options)
    }

    /// Uses the server of the process that holds the directory, or starts one if nobody does.
    ///
    /// An attached handle never stops the server, and cannot keep its holder from doing so: connections then break, as
    /// they do with any server. A holder that is still starting is waited for, for at most
    /// [`Options::wait_for_server`]; if it dies meanwhile, we take its place.
    ///
    /// # Errors
    ///
    /// [`Error::HolderNotReady`] when the holder's server does not answer in time; otherwise as for
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
            // The holder makes the database too, but may not have got to it. A refusal may mean that it is stopping.
            let attached = existing.as_ref().filter(|cluster| cluster.answers());
            let refusal = match attached.map(|cluster| (cluster, cluster.ensure_database(&options.database))) {
                Some((cluster, Ok(()))) => {
                    return Ok(Self {
                        cluster: cluster.clone(),
                        database: options.database.clone(),
                        own: None,
                    });
                }
                Some((_, Err(refusal))) => Some(refusal),
                None => None,
            };
            if Instant::now() >= until {
                return Err(refusal.unwrap_or_else(|| Error::HolderNotReady {
                    directory: directory.path.clone(),
                    pid: directory.holder(),
                    waited: options.wait_for_server,
                }));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn start_locked(directory: &Directory, lock: Lock, options: &Options) -> Result<Self, Error> {
        let cluster = Cluster::prepare(directory, options)?;
        let keeper = Keeper::start(cluster.clone(), options.wait_for_server)?;
        let own = Some(Own { keeper, _lock: lock });
        let postgres = Self {
            cluster,
            database: options.database.clone(),
            own,
        };
        postgres.cluster.ensure_database(&options.database)?;
        Ok(postgres)
    }

    /// The address of the database: `postgres://postgres@localhost/NAME?host=FOLDER`, the folder percent-encoded where
    /// needed. It needs no password, since only the server's user and root can enter the folder. It stays the same when
    /// the server is brought back after a crash, and at the next start in the same directory.
    pub fn url(&self) -> String {
        socket::url(&self.cluster.socket, &self.database)
    }

    /// Whether this handle holds the directory: then no other process runs this database, and whatever an earlier
    /// process left open in it is abandoned. `false` for a handle attached to the server of a process beside us.
    pub fn is_owner(&self) -> bool {
        self.own.is_some()
    }

    /// The folder of the server's programs, and of `psql` where the client programs are installed.
    pub fn programs(&self) -> &Path {
        &self.cluster.programs
    }

    /// Stops our own server and waits until it is gone (a fast, clean shutdown, typically 0.1 s). Does nothing when
    /// attached.
    ///
    /// # Errors
    ///
    /// [`Error::DidNotStop`] when it is still there after 40 s; it then ends with this process.
    pub fn stop(mut self) -> Result<(), Error> {
        self.own.as_mut().map_or(Ok(()), |own| own.keeper.stop())
    }
}
