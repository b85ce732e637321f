//! Folder of the server's socket, and the URL of a database. Both depend only on the directory, so that other processes
//! compute the same values. Called by `cluster` and `private_postgres`.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::directory::Directory;

/// A socket path has at most 107 bytes on Linux and 103 on macOS; the longest name in the folder is that of the lock.
const MAX_FOLDER_BYTES: usize = 103 - "/.s.PGSQL.5432.lock".len();

/// `run/`, or a private folder in `/tmp` if the path of `run/` is too long.
pub(crate) fn folder(directory: &Directory) -> Result<PathBuf, Error> {
    let run = directory.run();
    if fits(&run) {
        return Ok(run);
    }
    // Not TMPDIR, which may differ in another process.
    let root = fs::metadata(&directory.path).map_err(Error::file("read the metadata of", &directory.path))?;
    Ok(PathBuf::from(format!(
        "/tmp/embedded-postgres-{:x}-{:x}",
        root.dev(),
        root.ino()
    )))
}

/// Postgres expects a list of folders, so a folder cannot contain a comma or a quote. A URL requires UTF-8.
fn fits(folder: &Path) -> bool {
    folder
        .to_str()
        .is_some_and(|path| path.len() <= MAX_FOLDER_BYTES && !path.contains([',', '"']))
}

/// The URL of `database`, for clients that accept a socket folder as `host`, such as sqlx and libpq.
pub(crate) fn url(folder: &Path, database: &str) -> String {
    let mut url = format!("postgres://postgres@localhost/{database}?host=");
    for &byte in folder.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::{fits, url};
    use std::path::Path;

    #[test]
    fn a_plain_folder_is_not_encoded() {
        let url = url(Path::new("/var/lib/app/run"), "app");
        assert_eq!(url, "postgres://postgres@localhost/app?host=/var/lib/app/run");
    }

    #[test]
    fn special_characters_are_percent_encoded() {
        let url = url(Path::new("/a b/ü+&%?#"), "app");
        assert_eq!(
            url,
            "postgres://postgres@localhost/app?host=/a%20b/%C3%BC%2B%26%25%3F%23"
        );
    }

    #[test]
    fn a_folder_that_postgres_cannot_use_is_detected() {
        assert!(fits(Path::new("/var/lib/app/run")));
        assert!(!fits(Path::new("/var/lib/app,other/run")));
        assert!(!fits(Path::new(&format!("/{}/run", "x".repeat(90)))));
    }
}
