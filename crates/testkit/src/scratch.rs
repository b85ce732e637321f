//! The directory of a test server. It is removed on drop, or else by the next test server: `static`s are not dropped at the
//! end of a process. Called by `server`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use tempfile::TempDir;

const PREFIX: &str = "testkit-postgres-";
/// A file system in memory. `CREATE DATABASE` copies some 300 files, ten times as fast there as on a disk.
const MEMORY: &str = "/dev/shm";
/// Containers often have a small one.
const MIN_FREE_MEMORY: u64 = 4 << 30;
/// Locked by the process that uses the directory; the system releases the lock when the process ends.
const LOCK: &str = "owner.lock";

/// A temporary directory that every user may enter, because the server of root runs as another user.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Creates a directory, after removing abandoned ones.
    pub(crate) fn new() -> io::Result<Self> {
        let parent = parent();
        remove_abandoned(&parent);
        loop {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o755))
                .tempdir_in(&parent)?;
            let lock = File::create_new(directory.path().join(LOCK))?;
            // Another process may have locked the new directory to remove it; then try again.
            if lock.try_lock().is_ok() {
                return Ok(Self { directory, _lock: lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A directory for the temporary files of a command, for every user.
    pub(crate) fn temporary(&self) -> io::Result<PathBuf> {
        let path = self.path().join("tmp");
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o1777))?;
        Ok(path)
    }
}

/// `TMPDIR` if it is set, else memory if there is enough, else the usual directory for temporary files.
fn parent() -> PathBuf {
    let free = rustix::fs::statvfs(MEMORY).map_or(0, |found| found.f_bavail * found.f_frsize);
    if env::var_os("TMPDIR").is_none() && free >= MIN_FREE_MEMORY {
        return MEMORY.into();
    }
    env::temp_dir()
}

/// The next call retries what cannot be removed now.
fn remove_abandoned(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether this user owns the directory and its lock is free. A directory without a lock file is still being created.
fn is_abandoned(path: &PathBuf) -> bool {
    let is_own = fs::symlink_metadata(path).is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
    is_own && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, PREFIX, Scratch, remove_abandoned};
    use std::fs::{self, File};

    #[test]
    fn a_directory_is_removed_on_drop() {
        let scratch = Scratch::new().expect("a directory");
        let path = scratch.path().to_owned();
        assert!(path.exists());
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn only_abandoned_directories_are_removed() {
        let temporary = tempfile::tempdir().expect("a directory");
        let [abandoned, in_use, new, foreign] =
            ["a", "b", "c", "d"].map(|name| temporary.path().join(format!("{PREFIX}{name}")));
        let foreign = foreign.with_file_name("something-else");
        for directory in [&abandoned, &in_use, &new, &foreign] {
            fs::create_dir(directory).expect("created");
        }
        File::create(abandoned.join(LOCK)).expect("created");
        File::create(foreign.join(LOCK)).expect("created");
        let lock = File::create(in_use.join(LOCK)).expect("created");
        lock.try_lock().expect("free");

        remove_abandoned(temporary.path());

        assert!(!abandoned.exists());
        assert!(in_use.exists() && new.exists() && foreign.exists());
    }
}
