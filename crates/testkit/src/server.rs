//! The one Postgres server of a test run: given from outside, or started by this process at the first use.

use std::env::VarError;
use std::sync::OnceLock;

use embedded_postgres::{Error, Options, PrivatePostgres};

use crate::scratch::Scratch;

/// The environment variable that names the server to use: any `postgres://` address whose user may create databases.
pub const TEST_POSTGRES_URL: &str = "TEST_POSTGRES_URL";

/// A private Postgres for tests: not durable, in a directory of its own below the temporary one.
///
/// Dropping the value, or [`TestServer::stop`], stops the server and removes the directory. When the process ends
/// without either, the server stops by itself, and the next `TestServer` on this machine removes the directory.
#[derive(Debug)]
pub struct TestServer {
    /// Before the directory, so that it is stopped first.
    postgres: PrivatePostgres,
    _scratch: Scratch,
}

impl TestServer {
    /// Starts the server and waits until it answers. Blocks. The programs are those in `PG_BIN_DIR`, or else the newest
    /// installed.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::start`].
    pub fn start() -> Result<Self, Error> {
        let scratch = Scratch::new().map_err(|source| Error::File {
            action: "make a directory in",
            path: std::env::temp_dir(),
            source,
        })?;
        let mut options = Options::new(scratch.path().join("pg"), "postgres")
            .durable(false)
            // Every test has a pool of its own, and a runner may start as many tests as there are processors.
            .setting("max_connections", "300")
            .setting("shared_buffers", "128MB")
            // It would come between us and a template that must not be in use.
            .setting("autovacuum", "off");
        if let Some(folder) = std::env::var_os("PG_BIN_DIR") {
            options = options.binaries(folder);
        }
        Ok(Self {
            postgres: PrivatePostgres::start(&options)?,
            _scratch: scratch,
        })
    }

    /// The address of its database `postgres`, from which others are made.
    pub fn url(&self) -> String {
        self.postgres.url()
    }

    /// Stops the server and removes its directory. Blocks.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::stop`].
    pub fn stop(self) -> Result<(), Error> {
        self.postgres.stop()
    }
}

/// The address of the server of this test run. Blocks at its first use when it has to start one.
pub(crate) fn url() -> String {
    static OURS: OnceLock<TestServer> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no settings; this is the one place that reads the variable"
    )]
    match std::env::var(TEST_POSTGRES_URL) {
        Ok(url) => url,
        Err(VarError::NotPresent) => OURS
            .get_or_init(|| {
                TestServer::start().unwrap_or_else(|error| panic!("no Postgres for the tests: {error}\n{error:?}"))
            })
            .url(),
        Err(VarError::NotUnicode(_)) => panic!("{TEST_POSTGRES_URL} is no address"),
    }
}
