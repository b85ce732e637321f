//! The directory that is ours alone, and the lock by which one process holds it.
//!
//! Layout: `postgres.lock` (the lock and, inside, the holder's process id), `run/` (the socket), `data/` (Postgres's
//! own folder). As root the directory and the lock stay root's, and only `run/` and `data/` belong to the user the
//! server runs as, so that the server can plant nothing that root would follow. Called by `private_postgres`.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::user::ServiceUser;

const LOCK: &str = "postgres.lock";
/// The root of a fresh ext4 volume holds this; it does not make the directory somebody else's.
const FOREIGN_BUT_HARMLESS: &str = "lost+found";

/// The directory, checked to be ours. Nothing in it but the lock file is touched without the lock.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    pub(crate) service_user: Option<ServiceUser>,
}

/// Held for as long as the server is ours. The system lets go of it when the process ends in whatever way; the server
/// does not inherit it, since `std` opens every file close-on-exec.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Directory {
    /// Makes the directory if it is missing and refuses one that is not ours.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let service_user = ServiceUser::if_root()?;
        fs::create_dir_all(path).map_err(Error::file("make the directory", path))?;
        let path = path.canonicalize().map_err(Error::file("resolve", path))?;
        let us = rustix::process::geteuid().as_raw();
        let found = fs::symlink_metadata(&path).map_err(Error::file("look at", &path))?;
        if found.uid() != us {
            let (owner, mode) = (found.uid(), found.mode() & 0o7777);
            return Err(Error::NotOurs {
                directory: path,
                owner,
                mode,
                expected: us,
            });
        }
        // In this order: what another process makes meanwhile begins with the mark.
        if !is_empty(&path)? && !is_marked(&path, us) {
            return Err(Error::ForeignDirectory { directory: path });
        }
        // As root, the server's user must pass through to run/ and data/, but not look around.
        let mode = if service_user.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(Error::file("set the permissions of", &path))?;
        Ok(Self { path, service_user })
    }

    /// Postgres's own folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The folder of the socket.
    pub(crate) fn run(&self) -> PathBuf {
        self.path.join("run")
    }

    /// Takes the lock, or `None` when another process holds it.
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
        // Only for the message of whoever comes second, so it may fail.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Some(Lock { _file: file }))
    }

    /// Takes the lock, waiting for at most `wait` until the holder lets go of it.
    pub(crate) fn lock_within(&self, wait: Duration) -> Result<Lock, Error> {
        let until = Instant::now() + wait;
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            if Instant::now() >= until {
                return Err(Error::Held {
                    directory: self.path.clone(),
                    pid: self.holder(),
                });
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process that took the lock last.
    pub(crate) fn holder(&self) -> Option<u32> {
        let mut text = String::new();
        File::open(self.path.join(LOCK))
            .ok()?
            .take(20)
            .read_to_string(&mut text)
            .ok()?;
        text.trim().parse().ok()
    }

    /// The user id that owns the server's folders.
    pub(crate) fn server_uid(&self) -> u32 {
        self.service_user
            .as_ref()
            .map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid)
    }

    /// Makes `path` a directory that only the server's user can enter, and refuses one that somebody else put there.
    pub(crate) fn make_private(&self, path: &Path) -> Result<(), Error> {
        let expected = self.server_uid();
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file("make the directory", path)(error)),
        }
        let found = fs::symlink_metadata(path).map_err(Error::file("look at", path))?;
        let (owner, mode) = (found.uid(), found.mode() & 0o7777);
        // One that is still ours comes from a start that was killed between making it and giving it away.
        let ours = owner == rustix::process::geteuid().as_raw();
        if !found.is_dir() || mode & 0o077 != 0 || !(ours || owner == expected) {
            return Err(Error::NotOurs {
                directory: path.to_owned(),
                owner,
                mode,
                expected,
            });
        }
        if let Some(user) = &self.service_user {
            lchown(path, Some(user.uid), Some(user.gid)).map_err(Error::file("give away", path))?;
        }
        Ok(())
    }
}

/// Whether an earlier start put its lock there. A link of that name is nobody's mark.
fn is_marked(directory: &Path, us: u32) -> bool {
    fs::symlink_metadata(directory.join(LOCK)).is_ok_and(|found| found.is_file() && found.uid() == us)
}

fn is_empty(directory: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let entry = entry.map_err(Error::file("read", directory))?;
        if entry.file_name() != FOREIGN_BUT_HARMLESS {
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
    fn a_directory_that_another_process_is_just_setting_up_is_not_taken_for_somebody_elses() {
        let scratch = tempfile::tempdir().expect("a directory");
        for round in 0..200 {
            let path = scratch.path().join(round.to_string());
            let set_up = || {
                let directory = Directory::open(&path).expect("ours");
                if directory.try_lock().expect("a lock file").is_some() {
                    fs::create_dir_all(directory.run()).expect("made");
                }
            };
            thread::scope(|scope| {
                scope.spawn(set_up);
                scope.spawn(set_up);
            });
        }
    }
}
