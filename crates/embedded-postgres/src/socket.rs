//! Where the server's socket is, and the URL by which a client finds it. Both follow from the directory alone, so that
//! a command beside a running server finds the same place. Called by `cluster` and `private_postgres`.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::directory::Directory;

/// A socket's path may have 107 bytes on Linux and 103 on macOS, the longest name in the folder being the lock's.
const LONGEST_FOLDER: usize = 103 - "/.s.PGSQL.5432.lock".len();

/// The folder of the socket: `run/`, or a private folder in `/tmp` when the path of `run/` does not fit.
pub(crate) fn folder(directory: &Directory) -> Result<PathBuf, Error> {
    let run = directory.run();
    if fits(&run) {
        return Ok(run);
    }
    // /tmp and not the temporary directory of the environment: another process has to come to the same answer.
    let root = fs::metadata(&directory.path).map_err(Error::file("look at", &directory.path))?;
    Ok(PathBuf::from(format!(
        "/tmp/embedded-postgres-{:x}-{:x}",
        root.dev(),
        root.ino()
    )))
}

/// Postgres takes a list of folders, so a comma or a quote cannot be part of one; a URL holds UTF-8 only.
fn fits(folder: &Path) -> bool {
    folder
        .to_str()
        .is_some_and(|path| path.len() <= LONGEST_FOLDER && !path.contains([',', '"']))
}

/// The address of `database` for any client that takes a socket folder as `host`, sqlx and libpq among them.
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
    fn a_plain_folder_stands_in_the_url_as_it_is() {
        let url = url(Path::new("/var/lib/app/run"), "app");
        assert_eq!(url, "postgres://postgres@localhost/app?host=/var/lib/app/run");
    }

    #[test]
    fn characters_with_a_meaning_in_urls_are_encoded() {
        let url = url(Path::new("/a b/ü+&%?#"), "app");
        assert_eq!(
            url,
            "postgres://postgres@localhost/app?host=/a%20b/%C3%BC%2B%26%25%3F%23"
        );
    }

    #[test]
    fn a_folder_that_postgres_cannot_take_is_known() {
        assert!(fits(Path::new("/var/lib/app/run")));
        assert!(!fits(Path::new("/var/lib/app,other/run")));
        assert!(!fits(Path::new(&format!("/{}/run", "x".repeat(90)))));
    }
}
