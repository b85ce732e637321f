//! `dbt-gateway migrate`.

use anyhow::Context as _;

use crate::database::with_database;
use crate::settings::Settings;

/// Migrates the database.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    with_database(settings, async |database, _| {
        database.migrate().await.context("cannot migrate")
    })
}
