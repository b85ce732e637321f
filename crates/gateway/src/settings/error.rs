//! Why settings cannot be used. No message shows a value that may be a secret.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

/// The settings cannot be used; the start stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is not valid TOML.
    #[error("{}, line {line}, is not valid TOML: {problem}", file.display())]
    Syntax {
        file: PathBuf,
        line: usize,
        problem: String,
    },
    /// No setting has this key.
    #[error("unknown setting {key} in {origin}{}", .nearest.map(|key| format!("; is {key} meant?")).unwrap_or_default())]
    Unknown {
        key: String,
        origin: String,
        nearest: Option<&'static str>,
    },
    /// A value has the wrong type, is outside its range, or does not fit another value.
    #[error("unusable setting {key}: {problem}")]
    Value { key: String, problem: String },
}

impl SettingsError {
    pub(super) fn value(key: &str, problem: impl Display) -> Self {
        Self::Value {
            key: key.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// A text that its setting's type cannot read.
impl From<toml::de::Error> for SettingsError {
    fn from(error: toml::de::Error) -> Self {
        // The key is only in the whole message: "…\nin `section.name`".
        let message = error.to_string();
        let key = message.rsplit_once("in `").and_then(|(_, rest)| rest.split_once('`'));
        Self::value(key.map_or("", |(key, _)| key), error.message())
    }
}
