//! `dbt-gateway companies create`, `list`, `suspend` and `resume`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use model::{CompanyId, RequestStamp, Surface, SystemClock};
use storage::{Companies, Suspension};

use super::write_row_or_warn;
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

/// Prints the companies, a line each, with tabs between.
pub(crate) fn list(settings: &Settings) -> anyhow::Result<()> {
    let companies = with_database(settings, async |database, _| {
        Companies::new(database)
            .list()
            .await
            .context("the companies cannot be listed")
    })?;
    let mut table = "id\tstate\tcreated\tname\n".to_owned();
    for company in companies {
        let state = company.suspended_at.map_or("active", |_| "suspended");
        let created = company.created_at.format("%FT%RZ");
        writeln!(
            table,
            "{}\t{state}\t{created}\t{}",
            company.id,
            company.name.escape_debug()
        )?;
    }
    Ok(std::io::stdout().write_all(table.as_bytes())?)
}

/// Suspends a company, or ends that. Does not migrate, and does not need the request log: it has to work when other things
/// do not.
pub(crate) fn set_suspended(settings: &Settings, id: i64, is_suspended: bool) -> anyhow::Result<()> {
    let company = with_database(settings, async |database, _| {
        let stamp = RequestStamp::now(&SystemClock, Surface::Internal, None);
        let changed = Companies::new(database)
            .set_suspended(&stamp, CompanyId(id), is_suspended)
            .await;
        let changed = changed.context("it may have happened or not: repeat this")?;
        let Suspension { company, row } = changed.with_context(|| format!("there is no company {id}"))?;
        write_row_or_warn(database, &row).await;
        Ok(company)
    })?;
    let done = if is_suspended {
        "suspended; every gateway refuses its keys within 5 seconds"
    } else {
        "resumed; every gateway accepts its keys within 5 seconds"
    };
    let name = company.name.escape_debug();
    Ok(writeln!(std::io::stdout(), "company {id} (\"{name}\") is {done}")?)
}
