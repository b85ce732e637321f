//! The Postgres of this process: the one of `database.url`, or a private one in the data directory.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use client::DiskCheck;
use embedded_postgres::{Options, PrivatePostgres};
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Database, DatabaseSettings, MigrationSettings};

use crate::settings::{self, Settings, set};

/// The database's name in the private Postgres.
const NAME: &str = "dbt_gateway";

/// Postgres for this process.
pub(crate) enum Postgres {
    /// The server of `database.url`; with `database.direct_url` behind a pooler.
    External {
        url: SecretString,
        direct_url: Option<SecretString>,
    },
    /// A server run by this process or by a gateway on the same data directory.
    Private(PrivatePostgres),
}

impl Postgres {
    /// For `serve`, which must be the owner of a private Postgres.
    pub(crate) fn for_serving(settings: &Settings) -> anyhow::Result<Self> {
        Self::open(settings, PrivatePostgres::start)
    }

    /// For other commands, which share the private Postgres of a running gateway.
    pub(crate) fn for_command(settings: &Settings) -> anyhow::Result<Self> {
        Self::open(settings, PrivatePostgres::attach_or_start)
    }

    fn open(
        settings: &Settings,
        private: impl FnOnce(&Options) -> Result<PrivatePostgres, embedded_postgres::Error>,
    ) -> anyhow::Result<Self> {
        let Settings {
            database, request_log, ..
        } = settings;
        if set(database.url.expose_secret()).is_some() {
            let direct_url = &database.direct_url;
            return Ok(Self::External {
                url: database.url.clone(),
                direct_url: set(direct_url.expose_secret()).map(|_| direct_url.clone()),
            });
        }
        // Both pools, the request log's connection, and a few commands.
        let connections = database.max_connections + request_log.read_connections + 20;
        let mut options = Options::new(data_dir(settings)?, NAME).setting("max_connections", connections.to_string());
        if let Some(directory) = &database.bin_dir.0 {
            options = options.binaries(directory);
        }
        Ok(Self::Private(private(&options)?))
    }

    /// Whether no other process can be using this database.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self, Self::Private(postgres) if postgres.is_owner())
    }

    pub(crate) fn connect(&self, settings: &Settings) -> anyhow::Result<Database> {
        let (url, direct_url) = match self {
            Self::External { url, direct_url } => (url.clone(), direct_url.clone()),
            Self::Private(postgres) => (postgres.url().into(), None),
        };
        Ok(Database::new(&DatabaseSettings {
            url,
            direct_url,
            max_connections: settings.database.max_connections,
            acquire_timeout: Duration::from_secs(settings.database.acquire_timeout_secs),
            statement_timeout: Duration::from_secs(settings.database.statement_timeout_secs),
            migrations: MigrationSettings {
                lock_timeout: Duration::from_millis(settings.database.migration_lock_timeout_ms),
                attempts: settings.database.migration_attempts,
            },
        })?)
    }

    /// As [`Self::stop`], for at most `limit`. A server that still runs then ends with this process.
    pub(crate) fn stop_within(self, limit: Duration) -> anyhow::Result<()> {
        if matches!(self, Self::External { .. }) {
            return Ok(());
        }
        let (done, stopped) = mpsc::channel();
        thread::spawn(move || {
            // Fails if the limit has passed.
            let _ = done.send(self.stop());
        });
        let stopped = stopped.recv_timeout(limit);
        stopped.context("the private Postgres did not stop in time, and ends with this process")?
    }

    /// The check of the private Postgres's disk, unless it is switched off.
    pub(crate) fn disk_check(&self, settings: &Settings) -> Option<DiskCheck> {
        let min_free = settings.database.min_free_disk_mb << 20;
        match self {
            Self::Private(postgres) if min_free > 0 => Some(DiskCheck::new(postgres.disk(), min_free)),
            _ => None,
        }
    }

    /// Stops the private Postgres if this process started it. Call it after the last connection is closed.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::External { .. } => Ok(()),
            Self::Private(postgres) => postgres.stop().context("the private Postgres did not stop cleanly"),
        }
    }
}

/// Runs a command on the database, whether or not a gateway is running.
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

/// The directory of the private Postgres and its encryption keys.
pub(crate) fn data_dir(settings: &Settings) -> anyhow::Result<PathBuf> {
    let directory = settings.database.data_dir.0.clone().or_else(settings::default_data_dir);
    directory.context("no home directory for the private Postgres: set DBT_GATEWAY_DATA_DIR or DATABASE_URL")
}
