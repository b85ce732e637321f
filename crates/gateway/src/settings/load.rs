//! Loads the settings of this process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use super::error::SettingsError;
use super::fields::Settings;
use super::layers::Layers;

impl Settings {
    /// The settings of this process.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::of(file, &environment())
    }

    /// The settings of a process with that environment.
    pub(crate) fn of(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<Self, SettingsError> {
        Self::from_layers(&Layers::read(file, environment)?)
    }

    pub(super) fn from_layers(layers: &Layers) -> Result<Self, SettingsError> {
        let settings = Self::deserialize(layers.to_table())?;
        settings.check()?;
        Ok(settings)
    }
}

/// The environment of this process. Names and values that are not Unicode are converted, so that a setting among them is
/// refused with its name.
pub(super) fn environment() -> HashMap<String, String> {
    let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os()
        .map(|(name, value)| (lossy(name), lossy(value)))
        .collect()
}

/// The data directory of the private Postgres without `database.data_dir`: the system's for root, else the user's.
pub(crate) fn default_data_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/dbt-gateway".into());
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let shared = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(shared.join("dbt-gateway"))
}
