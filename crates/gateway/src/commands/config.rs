//! `dbt-gateway config check` and `config show`.

use std::io::Write as _;
use std::path::Path;

use crate::key_ring;
use crate::settings::{self, Settings};

/// Fails if the settings or the encryption keys cannot be used.
pub(crate) fn check(file: Option<&Path>) -> anyhow::Result<()> {
    key_ring::from_settings(&Settings::load(file)?)?;
    Ok(writeln!(std::io::stdout(), "the settings are usable")?)
}

/// Prints every setting.
pub(crate) fn show(file: Option<&Path>) -> anyhow::Result<()> {
    let text = settings::show(file)?;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
