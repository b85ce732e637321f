//! The private directory, and the lock by which one process owns it.
//!
//! Layout: `postgres.lock` (the lock; it contains the owner's process id), `run/` (the socket), `data/` (Postgres's data
//! directory). If the process is root, only `run/` and `data/` belong to the server's user, so that the server cannot
//! create links that root would follow. Called by `private_postgres`.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::user::ServiceUser;

const LOCK: &str = "postgres.lock";
/// Exists in the root of a new ext4 volume, which counts as empty.
const LOST_AND_FOUND: &str = "lost+found";

/// A directory with checked ownership. Without the lock only the lock file may be touched.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    pub(crate) service_user: Option<ServiceUser>,
}

/// Held while this process owns the server. The system releases it when the process ends; the server does not inherit it,
/// because `std` opens files close-on-exec.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Directory {
    /// Creates the directory if it is missing; rejects one with other content or another owner.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let service_user = ServiceUser::if_root()?;
        fs::create_dir_all(path).map_err(Error::file("create the directory", path))?;
        let path = path.canonicalize().map_err(Error::file("resolve", path))?;
        let expected = rustix::process::geteuid().as_raw();
        let found = fs::symlink_metadata(&path).map_err(Error::file("read the metadata of", &path))?;
        if found.uid() != expected {
            let (owner, mode) = (found.uid(), found.mode() & 0o7777);
            return Err(Error::WrongOwnership {
                directory: path,
                owner,
                mode,
                expected,
            });
        }
        // The order matters: a process that sets up the directory concurrently creates the lock file first.
        if !is_empty(&path)? && !has_lock_file(&path, expected) {
            return Err(Error::NotEmpty { directory: path });
        }
        // 0711: the server's user must be able to enter run/ and data/, but not to list the directory.
        let mode = if service_user.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(Error::file("set the permissions of", &path))?;
        Ok(Self { path, service_user })
    }

    /// Postgres's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The folder of the socket.
    pub(crate) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// `None` if another process holds the lock.
    pub(crate) fn try_lock(&self) -> Result<Option<Lock>, Error> {
        let path = self.path.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
        }
        // Only used in error messages of other processes, so a failure is ignored.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Some(Lock { _file: file }))
    }

    /// Waits at most `timeout` for the lock.
    pub(crate) fn lock_within(&self, timeout: Duration) -> Result<Lock, Error> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            if Instant::now() >= until {
                return Err(Error::InUse {
                    directory: self.path.clone(),
                    pid: self.owner_pid(),
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process that last acquired the lock.
    pub(crate) fn owner_pid(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(self.path.join(LOCK))
            .ok()?
            .take(20)
            .read_to_string(&mut text)
            .ok()?;
        text.trim().parse().ok()
    }

    /// The user id that owns `run/` and `data/`.
    pub(crate) fn server_uid(&self) -> u32 {
        self.service_user
            .as_ref()
            .map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
    }

    /// Creates a directory that only the server's user can enter; rejects an existing one with another owner.
    pub(crate) fn make_private(&self, path: &Path) -> Result<(), Error> {
        let expected = self.server_uid();
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file("create the directory", path)(error)),
        }
        let found = fs::symlink_metadata(path).map_err(Error::file("read the metadata of", path))?;
        let (owner, mode) = (found.uid(), found.mode() & 0o7777);
        // A start that was killed before the chown leaves a directory of this process's user.
        let own = owner == rustix::process::geteuid().as_raw();
        if !found.is_dir() || mode & 0o077 != 0 || !(own || owner == expected) {
            return Err(Error::WrongOwnership {
                directory: path.to_owned(),
                owner,
                mode,
                expected,
            });
        }
        if let Some(user) = &self.service_user {
            lchown(path, Some(user.uid), Some(user.gid)).map_err(Error::file("change the owner of", path))?;
        }
        Ok(())
    }
}

/// Whether an earlier start created the lock file. A symbolic link does not count.
fn has_lock_file(directory: &Path, uid: u32) -> bool {
    fs::symlink_metadata(directory.join(LOCK)).is_ok_and(|found| found.is_file() && found.uid() == uid)
}

fn is_empty(directory: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let entry = entry.map_err(Error::file("read", directory))?;
        if entry.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::Directory;
    use std::fs;
    use std::thread;

    #[test]
    fn a_directory_that_another_thread_sets_up_concurrently_is_accepted() {
        let scratch = tempfile::tempdir().expect("a directory");
        for round in 0..200 {
            let path = scratch.path().join(round.to_string());
            let set_up = || {
                let directory = Directory::open(&path).expect("accepted");
                if directory.try_lock().expect("a lock file").is_some() {
                    fs::create_dir_all(directory.run()).expect("created");
                }
            };
            thread::scope(|scope| {
                scope.spawn(set_up);
                scope.spawn(set_up);
            });
        }
    }
}
