//! `dbt-gateway secrets rotate`.

use std::io::Write as _;

use anyhow::Context as _;

use crate::database::with_database;
use crate::key_ring;
use crate::settings::Settings;

/// Re-encrypts every stored token with the first encryption key. Safe while gateways that have both keys are running.
pub(crate) fn rotate(settings: &Settings) -> anyhow::Result<()> {
    let report = with_database(settings, async |database, postgres| {
        database.migrate().await.context("cannot migrate")?;
        let credentials = key_ring::credentials(settings, postgres, database).await?;
        credentials.rotate().await.context("not every token was re-encrypted")
    })?;
    let (re_encrypted, already) = (report.re_encrypted, report.already);
    writeln!(
        std::io::stdout(),
        "re-encrypted: {re_encrypted}, already current: {already}"
    )?;
    Ok(())
}
