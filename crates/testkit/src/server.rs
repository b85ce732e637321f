//! The Postgres server of a test run: from `TEST_POSTGRES_URL`, or started by this process at first use.

use std::env::VarError;
use std::sync::OnceLock;

use embedded_postgres::{Error, Options, PrivatePostgres};

use crate::scratch::Scratch;

/// The environment variable with the `postgres://` URL of the server; its user must be able to create databases.
pub const TEST_POSTGRES_URL: &str = "TEST_POSTGRES_URL";

/// A private Postgres for tests: not durable, in a temporary directory.
///
/// Dropping the value stops the server and removes the directory. If the process ends without a drop, the server stops by
/// itself, and the next `TestServer` on this machine removes the directory.
#[derive(Debug)]
pub struct TestServer {
    /// Declared before the directory, so that it is dropped first.
    postgres: PrivatePostgres,
    scratch: Scratch,
}

impl TestServer {
    /// Starts the server and waits until it accepts connections. Blocks. Uses the programs in `PG_BIN_DIR`, or the newest
    /// installed ones.
    ///
    /// # Errors
    ///
    /// As [`PrivatePostgres::start`].
    pub fn start() -> Result<Self, Error> {
        let scratch = Scratch::new().map_err(|source| Error::File {
            action: "create a directory in",
            path: std::env::temp_dir(),
            source,
        })?;
        let mut options = Options::new(scratch.path().join("pg"), "postgres")
            .durable(false)
            // Each test has its own pool, and a runner may run one test per processor.
            .setting("max_connections", "300")
            .setting("shared_buffers", "128MB")
            // Autovacuum may connect to a template, which then cannot be copied.
            .setting("autovacuum", "off");
        if let Some(folder) = std::env::var_os("PG_BIN_DIR") {
            options = options.binaries(folder);
        }
        Ok(Self {
            postgres: PrivatePostgres::start(&options)?,
            scratch,
        })
    }

    /// The URL of the database `postgres`.
    pub fn url(&self) -> String {
        self.postgres.url()
    }

    /// A directory for temporary files, in memory where that is large enough. It is removed with the server.
    ///
    /// # Errors
    ///
    /// The directory cannot be created.
    pub fn temporary_directory(&self) -> std::io::Result<std::path::PathBuf> {
        self.scratch.temporary()
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

/// The URL of the server of this test run. Blocks at first use if it has to start the server.
pub(crate) fn url() -> String {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "tests have no settings; only this function reads the variable"
    )]
    match std::env::var(TEST_POSTGRES_URL) {
        Ok(url) => url,
        Err(VarError::NotPresent) => SERVER
            .get_or_init(|| {
                TestServer::start().unwrap_or_else(|error| panic!("no Postgres for the tests: {error}\n{error:?}"))
            })
            .url(),
        Err(VarError::NotUnicode(_)) => panic!("{TEST_POSTGRES_URL} is not valid UTF-8"),
    }
}
