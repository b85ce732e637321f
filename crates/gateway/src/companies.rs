//! `dbt-gateway companies create` and `dbt-gateway secrets rotate`.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use model::{Face, RequestStamp, SystemClock};
use storage::Companies;

use crate::database::with_database;
use crate::secrets;
use crate::settings::Settings;

/// Makes a company and prints its id, and nothing else, on standard output.
pub(crate) fn create(settings: &Settings, name: &str) -> anyhow::Result<()> {
    ensure!(
        (1..=200).contains(&name.chars().count()),
        "a company's name has 1 to 200 characters"
    );
    let id = with_database(settings, async |database, _| {
        database.migrate().await.context("cannot migrate")?;
        let stamp = RequestStamp::now(&SystemClock, Face::Internal, None);
        Companies::new(database)
            .create(&stamp, name)
            .await
            .context("no company was made")
    })?;
    writeln!(std::io::stdout(), "{id}").context("the company was made, but its id could not be printed")
}

/// Seals every stored token with the first encryption key. Safe beside running gateways that have both keys.
pub(crate) fn rotate_secrets(settings: &Settings) -> anyhow::Result<()> {
    let report = with_database(settings, async |database, postgres| {
        database.migrate().await.context("cannot migrate")?;
        let credentials = secrets::credentials(settings, postgres, database).await?;
        credentials
            .rotate()
            .await
            .context("the tokens were not all sealed anew")
    })?;
    writeln!(
        std::io::stdout(),
        "sealed anew: {}, already so: {}",
        report.re_sealed,
        report.already
    )?;
    Ok(())
}
