//! `dbt-gateway companies create`.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use model::{RequestStamp, Surface, SystemClock};
use storage::Companies;

use crate::database::with_database;
use crate::settings::Settings;

/// Creates a company and prints only its id on standard output.
pub(crate) fn create(settings: &Settings, name: &str) -> anyhow::Result<()> {
    ensure!(
        (1..=200).contains(&name.chars().count()),
        "a company's name has 1 to 200 characters"
    );
    let id = with_database(settings, async |database, _| {
        database.migrate().await.context("cannot migrate")?;
        let stamp = RequestStamp::now(&SystemClock, Surface::Internal, None);
        Companies::new(database)
            .create(&stamp, name)
            .await
            .context("the company was not created")
    })?;
    writeln!(std::io::stdout(), "{id}").context("the company was created, but its id could not be printed")
}
