//! Options of the private Postgres. Plain values: the caller reads the settings.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

/// Options of the private Postgres.
///
/// ```
/// use embedded_postgres::Options;
///
/// let options = Options::new("/var/lib/example", "example").setting("max_connections", "200");
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) directory: PathBuf,
    pub(crate) database: String,
    pub(crate) durable: bool,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) binaries: Option<PathBuf>,
    pub(crate) wait_for_lock: Duration,
    pub(crate) wait_for_server: Duration,
    pub(crate) watch_programs: Duration,
}

impl Options {
    /// A durable server in `directory` with the database `database` (lower-case letters, digits and underscores, at most
    /// 63 bytes).
    ///
    /// The directory is created if it is missing. It must be empty or from an earlier start. Its permissions are set so
    /// that other users cannot list it.
    pub fn new(directory: impl Into<PathBuf>, database: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            database: database.into(),
            durable: true,
            settings: Vec::new(),
            binaries: None,
            wait_for_lock: Duration::from_secs(3),
            wait_for_server: Duration::from_mins(2),
            watch_programs: Duration::from_secs(5),
        }
    }

    /// Whether commits survive a power failure (default: yes). With `false`, for tests, they still survive `kill -9`, and
    /// starts and commits are several times faster.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Adds a setting of Postgres, such as `max_connections`. It overrides the defaults of this crate, except for the
    /// listen addresses, the socket and the log.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The folder of `initdb` and `postgres`. By default the usual folders and `PATH` are searched for the version that
    /// wrote the data, or for the newest one.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// How long `PrivatePostgres::start` waits until another process releases the directory (default 3 s):
    /// a killed process needs a moment to end, and a short command may be using it.
    #[must_use]
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.wait_for_lock = wait;
        self
    }

    /// How long to wait until a server, of this or of another process, accepts connections (default 120 s, because crash
    /// recovery may take long). A server that ends is detected immediately.
    #[must_use]
    pub fn wait_for_server(mut self, wait: Duration) -> Self {
        self.wait_for_server = wait;
        self
    }

    /// How often to look whether a package upgrade has replaced the server's programs (default 5 s). If two looks in a row
    /// find the same new ones, the server is restarted with them.
    #[must_use]
    pub fn watch_programs(mut self, pause: Duration) -> Self {
        self.watch_programs = pause;
        self
    }

    /// The name becomes part of a URL and of a command line, so only characters that need no quoting are allowed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=63).contains(&self.database.len()) && self.database.bytes().all(allowed) {
            Ok(())
        } else {
            Err(Error::DatabaseName {
                name: self.database.clone(),
            })
        }
    }
}
