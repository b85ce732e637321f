//! The installed programs as they were at a moment: tells that a package upgrade has replaced them since. Called by
//! `supervisor`.
//!
//! A server whose programs were replaced goes on with its old code, but loads new libraries: sooner or later that fails
//! (`could not load library`, an undefined symbol).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Relative to the folder of the programs: the server, and a library that it loads late.
const WATCHED: [&str; 3] = ["postgres", "../lib/plpgsql.so", "../lib/postgresql/plpgsql.so"];

/// The identities of the watched files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed([Option<Identity>; WATCHED.len()]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    changed_at: (i64, i64),
}

impl Installed {
    /// `None` while there is no server program, as in the middle of an upgrade.
    pub(crate) fn in_folder(programs: &Path) -> Option<Self> {
        let files = WATCHED.map(|file| {
            let found = fs::metadata(programs.join(file)).ok()?;
            Some(Identity {
                device: found.dev(),
                inode: found.ino(),
                bytes: found.len(),
                changed_at: (found.mtime(), found.mtime_nsec()),
            })
        });
        files[0].is_some().then_some(Self(files))
    }
}

#[cfg(test)]
mod tests {
    use super::Installed;
    use std::fs;

    #[test]
    fn replaced_programs_differ_and_missing_ones_are_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        let (server, draft) = (folder.path().join("postgres"), folder.path().join("postgres.new"));
        assert_eq!(Installed::in_folder(folder.path()), None, "in the middle of an upgrade");
        fs::write(&server, "1").expect("written");
        let first = Installed::in_folder(folder.path());
        assert!(first.is_some() && first == Installed::in_folder(folder.path()));
        // As dpkg does it.
        fs::write(&draft, "2").expect("written");
        fs::rename(&draft, &server).expect("renamed");
        assert_ne!(Installed::in_folder(folder.path()), first);
    }
}
