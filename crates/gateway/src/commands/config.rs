//! `dbt-gateway config check` and `config show`.

use std::io::Write as _;
use std::path::Path;

use crate::commands::serve::startup;
use crate::key_ring;
use crate::settings::{self, Settings};

/// Fails if the settings, the encryption keys or the additional certificates cannot be used.
pub(crate) fn check(file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::load(file)?;
    key_ring::from_settings(&settings)?;
    startup::wrapped_api(&settings)?;
    startup::upstreams(&settings)?;
    Ok(writeln!(std::io::stdout(), "the settings are usable")?)
}

/// Prints every setting.
pub(crate) fn show(file: Option<&Path>) -> anyhow::Result<()> {
    let text = settings::show(file)?;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
