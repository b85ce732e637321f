//! `dbt-gateway keys create`.

use std::io::Write as _;

use anyhow::{Context as _, ensure};
use model::{CompanyId, RequestStamp, Surface, SystemClock};
use secrecy::ExposeSecret as _;
use storage::{ApiKeys, CreateKey};

use crate::cli::CreateKeyOptions;
use crate::database::with_database;
use crate::settings::Settings;

/// Creates a key and prints only the key on standard output.
pub(crate) fn create(settings: &Settings, options: &CreateKeyOptions) -> anyhow::Result<()> {
    ensure!(
        (1..=200).contains(&options.name.chars().count()),
        "a key's name has 1 to 200 characters"
    );
    let input = CreateKey::new(CompanyId(options.company), &options.name, options.role);
    let new = with_database(settings, async |database, _| {
        database.migrate().await.context("cannot migrate")?;
        let stamp = RequestStamp::now(&SystemClock, Surface::Internal, None);
        ApiKeys::new(database)
            .create(&stamp, &input)
            .await
            .context("the key was not created")
    })?;
    writeln!(std::io::stdout(), "{}", new.key.expose_secret()).context("the key was created, but could not be printed")
}
