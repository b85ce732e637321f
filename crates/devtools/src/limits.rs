//! The table of shared resources in `docs/limits.md`, from the code and the default settings.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use client::ClientShares;
use provider::ProviderShares;
use shares::Resource;
use storage::LogQueue;

/// The table, with the defaults of `config/default.toml` below `root`.
///
/// # Errors
/// When the settings cannot be read or lack one that a resource names.
pub fn table(root: &Path) -> anyhow::Result<String> {
    let path = root.join("config/default.toml");
    let settings = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let settings: toml::Table = settings.parse()?;
    let mut table =
        "| shared | setting | default | a share for each | when it is used up |\n|---|---|---|---|---|\n".to_owned();
    for resource in resources() {
        let Resource {
            what,
            setting,
            levels,
            when_full,
            ..
        } = resource;
        let default = default(&settings, setting).with_context(|| format!("no default of {setting}"))?;
        let default = default.to_string();
        let cells = [
            "| ", what, " | `", setting, "` | ", &default, " | ", levels, " | ", when_full, " |\n",
        ];
        table.extend(cells);
    }
    Ok(table)
}

fn resources() -> impl Iterator<Item = Resource> {
    ProviderShares::RESOURCES
        .into_iter()
        .chain([LogQueue::ROWS])
        .chain(ClientShares::RESOURCES)
}

fn default(settings: &toml::Table, setting: &str) -> Option<i64> {
    let (section, key) = setting.split_once('.')?;
    settings.get(section)?.get(key)?.as_integer()
}
