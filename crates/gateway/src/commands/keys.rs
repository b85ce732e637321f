//! `dbt-gateway keys create`, `list` and `revoke`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, bail, ensure};
use model::{AccountId, CompanyId, RequestStamp, Surface, SystemClock};
use secrecy::ExposeSecret as _;
use storage::{ApiKeyInfo, ApiKeys, CreateKey, Revocation};

use super::write_row_or_warn;
use crate::cli::{CreateKeyOptions, ListKeysOptions, RevokeKeyOptions};
use crate::database::with_database;
use crate::settings::Settings;

/// Creates a key and prints only the key on standard output.
pub(crate) fn create(settings: &Settings, options: &CreateKeyOptions) -> anyhow::Result<()> {
    ensure!(
        (1..=200).contains(&options.name.chars().count()),
        "a key's name has 1 to 200 characters"
    );
    let accounts = options.accounts.as_ref();
    let input = CreateKey {
        accounts: accounts.map(|ids| ids.iter().copied().map(AccountId).collect()),
        credentials: options.credentials.clone(),
        ..CreateKey::new(CompanyId(options.company), &options.name, options.role)
    };
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

/// Prints the keys, a line each, with tabs between.
pub(crate) fn list(settings: &Settings, options: &ListKeysOptions) -> anyhow::Result<()> {
    let keys = with_database(settings, async |database, _| {
        let listed = ApiKeys::new(database)
            .list_for_operator(options.company.map(CompanyId))
            .await;
        listed.context("the keys cannot be listed")
    })?;
    let mut table = "id\tcompany\tbeginning\trole\tstate\taccounts\tcredentials\tlast used\tname\n".to_owned();
    for (company, key) in keys {
        let list = |texts: Option<Vec<String>>| texts.map_or("-".to_owned(), |texts| texts.join(","));
        let accounts = list(
            key.accounts
                .as_ref()
                .map(|ids| ids.iter().map(ToString::to_string).collect()),
        );
        let last_used = key
            .last_used_at
            .map_or("-".to_owned(), |at| at.format("%FT%RZ").to_string());
        // Names may contain any character.
        writeln!(
            table,
            "{}\t{company}\t{}\t{}\t{}\t{accounts}\t{}\t{last_used}\t{}",
            key.id,
            key.prefix,
            key.role,
            state(&key),
            list(key.credentials),
            key.name.escape_debug()
        )?;
    }
    Ok(std::io::stdout().write_all(table.as_bytes())?)
}

fn state(key: &ApiKeyInfo) -> &'static str {
    use model::Clock as _;

    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|end| end <= SystemClock.now()) {
        "expired"
    } else {
        "active"
    }
}

/// Revokes a key. Does not migrate, and does not need the request log: it has to work when other things do not.
pub(crate) fn revoke(settings: &Settings, options: &RevokeKeyOptions) -> anyhow::Result<()> {
    let (company, key) = with_database(settings, async |database, _| {
        let keys = ApiKeys::new(database);
        let found = keys
            .locate(options.key.trim())
            .await
            .context("the key cannot be looked up")?;
        let (company, id) = match found[..] {
            [only] => only,
            [] => bail!("there is no such key: give its id, or how its text begins (dgw_ and 8 characters)"),
            _ => bail!("several keys begin so: give the id of one, from `dbt-gateway keys list`"),
        };
        let stamp = RequestStamp::now(&SystemClock, Surface::Internal, None);
        let revoked = keys.revoke(company, &stamp, None, id).await;
        let revoked = revoked.context("the key may be revoked or not: repeat this")?;
        let Revocation { key, row } = revoked.context("there is no such key any more")?;
        write_row_or_warn(database, &row).await;
        Ok((company, key))
    })?;
    writeln!(
        std::io::stdout(),
        "revoked key {} ({}, \"{}\") of company {company}; every gateway refuses it within 5 seconds",
        key.id,
        key.prefix,
        key.name.escape_debug()
    )?;
    Ok(())
}
