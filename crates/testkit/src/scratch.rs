//! The directory of a server for tests: gone when its value is dropped, and swept by the next one when it could not be,
//! as at the end of a process (`static`s are not dropped) or after `kill -9`. Called by `server`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use tempfile::TempDir;

const PREFIX: &str = "testkit-postgres-";
/// Locked by the process that uses the directory; the system unlocks it when the process ends in whatever way.
const LOCK: &str = "owner.lock";

/// A directory below the temporary one that every user may pass through, since root's server runs as another user.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a directory, after removing those whose processes are gone.
    pub(crate) fn new() -> io::Result<Self> {
        sweep(&env::temp_dir());
        loop {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o755))
                .tempdir()?;
            let lock = File::create_new(directory.path().join(LOCK))?;
            // Somebody who sweeps may have been quicker; the directory is theirs to remove then.
            if lock.try_lock().is_ok() {
                return Ok(Self { directory, _lock: lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// What cannot be removed now is tried again next time.
fn sweep(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Ours, and with a lock that nobody holds. A directory without a lock file is just being made.
fn is_abandoned(path: &PathBuf) -> bool {
    let ours = fs::symlink_metadata(path).is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
    ours && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::{LOCK, PREFIX, Scratch, sweep};
    use std::fs::{self, File};

    #[test]
    fn a_directory_is_gone_with_its_value() {
        let scratch = Scratch::new().expect("a directory");
        let path = scratch.path().to_owned();
        assert!(path.exists());
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn only_directories_that_nobody_uses_are_swept() {
        let temporary = tempfile::tempdir().expect("a directory");
        let [abandoned, in_use, being_made, foreign] =
            ["a", "b", "c", "d"].map(|name| temporary.path().join(format!("{PREFIX}{name}")));
        let foreign = foreign.with_file_name("something-else");
        for directory in [&abandoned, &in_use, &being_made, &foreign] {
            fs::create_dir(directory).expect("made");
        }
        File::create(abandoned.join(LOCK)).expect("made");
        File::create(foreign.join(LOCK)).expect("made");
        let lock = File::create(in_use.join(LOCK)).expect("made");
        lock.try_lock().expect("free");

        sweep(temporary.path());

        assert!(!abandoned.exists());
        assert!(in_use.exists() && being_made.exists() && foreign.exists());
    }
}
