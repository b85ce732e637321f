//! Reading the settings: the layers, then what is made of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use super::Settings;
use super::layers::Layers;

/// The settings are unusable; the start stops. No message shows a value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is no TOML.
    #[error("{}, line {line}, is no TOML: {problem}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Where in it.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// There is no such setting.
    #[error("unknown setting {key} in {place}{}", .nearest.as_ref().map(|key| format!("; is {key} meant?")).unwrap_or_default())]
    Unknown {
        /// `section.key`, as it is written there.
        key: String,
        /// The file or the variable.
        place: String,
        /// The most similar one that there is.
        nearest: Option<String>,
    },
    /// A value is of the wrong kind or outside its range.
    #[error("unusable setting {key}: {problem}")]
    Value {
        /// `section.key`.
        key: String,
        /// What would be right.
        problem: String,
    },
}

/// A text that is none of those that its setting allows.
impl From<toml::de::Error> for SettingsError {
    fn from(error: toml::de::Error) -> Self {
        let told = error.to_string();
        let key = told.split_once("in `").and_then(|(_, rest)| rest.split_once('`'));
        Self::Value {
            key: key.map_or_else(String::new, |(key, _)| key.to_owned()),
            problem: error.message().to_owned(),
        }
    }
}

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

/// The environment of this process. What is not Unicode is made so, since a setting of ours would be refused for it.
pub(super) fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// Where the private Postgres lives when nobody says: the system's place as root, else the user's.
pub(crate) fn default_data_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/dbt-gateway".into());
    }
    let of_user = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let shared = of_user("XDG_DATA_HOME").or_else(|| of_user("HOME").map(|home| home.join(".local/share")))?;
    Some(shared.join("dbt-gateway"))
}

#[cfg(test)]
mod tests;
