//! What a caller may choose about the private Postgres. Plain values only: whoever calls has read the settings.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

/// How to run the private Postgres.
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
}

impl Options {
    /// A durable server in `directory`, with one database of the name `database` (lower-case letters, digits and
    /// underscores, at most 63 bytes).
    ///
    /// The directory is made if it is missing. It must be empty or made by an earlier start, and belongs to this crate:
    /// its permissions are set so that nobody else can look into it.
    pub fn new(directory: impl Into<PathBuf>, database: impl Into<String>) -> Self {
        Self {
            directory: directory.into(),
            database: database.into(),
            durable: true,
            settings: Vec::new(),
            binaries: None,
            wait_for_lock: Duration::from_secs(3),
            wait_for_server: Duration::from_mins(2),
        }
    }

    /// Whether a committed row survives a power cut (default: yes). `false` is for tests: it still survives `kill -9`,
    /// and starts and commits several times faster.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// One more setting of Postgres, such as `max_connections`. It goes over our defaults; where the server listens
    /// and logs is not open to choice.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The folder that holds `initdb` and `postgres`. Without it the usual places and `PATH` are searched for the
    /// newest version, or for the one that wrote the data.
    #[must_use]
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = Some(folder.into());
        self
    }

    /// How long [`start`](crate::PrivatePostgres::start) waits for another process to let go of the directory
    /// (default 3 s): one that was just killed takes a moment, and a short command may be at work in it.
    #[must_use]
    pub fn wait_for_lock(mut self, wait: Duration) -> Self {
        self.wait_for_lock = wait;
        self
    }

    /// How long a server, our own or the one of the process beside us, may take until it answers (default 120 s, since
    /// recovery after a crash may take long). A server that fails is noticed at once.
    #[must_use]
    pub fn wait_for_server(mut self, wait: Duration) -> Self {
        self.wait_for_server = wait;
        self
    }

    /// The name becomes part of a URL and an argument of a program, so it is kept to harmless characters.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let harmless = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=63).contains(&self.database.len()) && self.database.bytes().all(harmless) {
            Ok(())
        } else {
            Err(Error::DatabaseName {
                name: self.database.clone(),
            })
        }
    }
}
