//! Which Postgres: the one of `DATABASE_URL`, or a private one in our data directory.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use embedded_postgres::{Options, PrivatePostgres};
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Database, DatabaseSettings};

use crate::settings::{self, Settings, set};

/// The database's name within the private Postgres.
const NAME: &str = "dbt_gateway";

/// Postgres for this process.
pub(crate) enum Postgres {
    /// Somebody else runs it.
    Given(SecretString),
    /// We run it, or a process beside us does.
    Private(PrivatePostgres),
}

impl Postgres {
    /// For `serve`: the private one is ours alone.
    pub(crate) fn for_serving(settings: &Settings) -> anyhow::Result<Self> {
        Self::open(settings, PrivatePostgres::start)
    }

    /// For a command: the private one may be in use by a gateway beside us.
    pub(crate) fn for_command(settings: &Settings) -> anyhow::Result<Self> {
        Self::open(settings, PrivatePostgres::attach_or_start)
    }

    fn open(
        settings: &Settings,
        private: impl FnOnce(&Options) -> Result<PrivatePostgres, embedded_postgres::Error>,
    ) -> anyhow::Result<Self> {
        if set(settings.database.url.expose_secret()).is_some() {
            return Ok(Self::Given(settings.database.url.clone()));
        }
        // Room for both pools, the request log's connection, and a few commands beside us.
        let connections = settings.database.max_connections + settings.request_log.read_connections + 20;
        let mut options = Options::new(data_dir(settings)?, NAME).setting("max_connections", connections.to_string());
        if let Some(folder) = set(&settings.database.bin_dir) {
            options = options.binaries(folder);
        }
        Ok(Self::Private(private(&options)?))
    }

    /// Whether no other process can be using this database.
    pub(crate) fn is_ours_alone(&self) -> bool {
        matches!(self, Self::Private(postgres) if postgres.is_owner())
    }

    pub(crate) fn connect(&self, settings: &Settings) -> anyhow::Result<Database> {
        let url = match self {
            Self::Given(url) => url.clone(),
            Self::Private(postgres) => postgres.url().into(),
        };
        Ok(Database::new(&DatabaseSettings {
            url,
            max_connections: settings.database.max_connections,
            acquire_timeout: Duration::from_secs(settings.database.acquire_timeout_secs),
        })?)
    }

    /// Stops what we started. After the last connection is closed.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Given(_) => Ok(()),
            Self::Private(postgres) => postgres.stop().context("the private Postgres did not stop cleanly"),
        }
    }
}

/// `dbt-gateway migrate`.
pub(crate) fn migrate(settings: &Settings) -> anyhow::Result<()> {
    with_database(settings, async |database, _| {
        database.migrate().await.context("cannot migrate")
    })
}

/// Runs a command on the database, beside a running gateway or without one.
pub(crate) fn with_database<T>(
    settings: &Settings,
    work: impl AsyncFnOnce(&Database, &Postgres) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let postgres = Postgres::for_command(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let database = postgres.connect(settings)?;
        let done = work(&database, &postgres).await;
        database.close().await;
        done
    });
    postgres.stop()?;
    done
}

/// Where the private Postgres and what belongs to it live.
pub(crate) fn data_dir(settings: &Settings) -> anyhow::Result<PathBuf> {
    match set(&settings.database.data_dir) {
        Some(directory) => Ok(directory.into()),
        None => settings::default_data_dir()
            .context("no home directory to keep the private Postgres in: set DBT_GATEWAY_DATA_DIR or DATABASE_URL"),
    }
}
