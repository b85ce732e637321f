//! The layers of the settings: the defaults, a file over them, the environment over both. Each value knows where it is
//! from. Whatever is written must be a setting that there is, of its kind and within its range.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::SettingsError;
use super::ranges::range_of;

pub(super) const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// What the names of variables begin with that name a section and a key.
const LONG_NAMES: &str = "DBT_GATEWAY__";

/// Short names of the environment, and the keys they stand for.
const SHORT_NAMES: [(&str, &str); 14] = [
    ("DBT_GATEWAY_LISTEN", "server.listen"),
    ("DBT_GATEWAY_DATA_DIR", "database.data_dir"),
    ("DBT_GATEWAY_SECRET_KEYS", "secrets.keys"),
    ("DATABASE_URL", "database.url"),
    ("PG_BIN_DIR", "database.bin_dir"),
    ("DBT_BASE_URL", "upstream.base_url"),
    ("DBT_TOKEN", "upstream.token"),
    ("DBT_ACCOUNT_ID", "upstream.account_id"),
    ("DBT_METADATA_URL", "upstream.metadata_url"),
    ("DBT_SEMANTIC_LAYER_URL", "upstream.semantic_layer_url"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "tracing.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "tracing.otlp_headers"),
    ("OTEL_SERVICE_NAME", "tracing.service_name"),
    ("SENTRY_DSN", "sentry.dsn"),
];

/// What belongs into the environment alone, never into a file.
const NEVER_IN_A_FILE: [&str; 3] = ["secrets.keys", "upstream.token", "tracing.otlp_headers"];

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One setting, with the value that holds.
#[derive(Debug)]
pub(super) struct Setting {
    /// `section.key`.
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Every setting, in the order of `config/default.toml`.
#[derive(Debug)]
pub(super) struct Layers(pub(super) Vec<Setting>);

impl Layers {
    pub(super) fn read(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<Self, SettingsError> {
        let defaults: Table = DEFAULTS.parse()?;
        let defaults = in_sections(&defaults).map(|(key, value)| Setting {
            key,
            value: value.clone(),
            origin: Origin::Default,
        });
        let mut layers = Self(defaults.collect());
        if let Some(file) = file {
            let origin = Origin::File(file.to_owned());
            for (key, value) in in_sections(&table(file)?) {
                layers.set(&key, &origin, |_| Some(value.clone()))?;
            }
        }
        let mut variables: Vec<_> = environment.iter().collect();
        variables.sort();
        for (name, value) in variables {
            if let Some(key) = name.strip_prefix(LONG_NAMES) {
                let key = key.to_lowercase().replace("__", ".");
                layers.set(&key, &Origin::Variable(name.clone()), |default| read_as(default, value))?;
            }
        }
        for (name, key) in SHORT_NAMES {
            // Set but empty means not set, as scripts leave it.
            if let Some(value) = environment.get(name).filter(|value| !value.is_empty()) {
                layers.set(key, &Origin::Variable(name.to_owned()), |default| {
                    read_as(default, value)
                })?;
            }
        }
        Ok(layers)
    }

    /// `to` makes a value of the same kind as the one that it is given, if it can.
    fn set(
        &mut self,
        key: &str,
        origin: &Origin,
        to: impl FnOnce(&Value) -> Option<Value>,
    ) -> Result<(), SettingsError> {
        let Some(setting) = self.0.iter_mut().find(|setting| setting.key == key) else {
            return Err(self.unknown(key, origin));
        };
        let wrong = |problem: String| SettingsError::Value {
            key: key.to_owned(),
            problem: format!("{problem} ({origin})"),
        };
        if matches!(origin, Origin::File(_)) && NEVER_IN_A_FILE.contains(&key) {
            return Err(wrong(
                "a secret belongs into the environment, not into a file".to_owned(),
            ));
        }
        let range = range_of(key);
        let value = to(&setting.value).filter(|value| value.same_type(&setting.value));
        let value = value.ok_or_else(|| {
            wrong(match (&setting.value, &range) {
                (Value::Integer(_), Some(range)) => {
                    format!("it is no whole number in {} to {}", range.start(), range.end())
                }
                (Value::Boolean(_), _) => "it is neither true nor false".to_owned(),
                _ => "it is no text in quotation marks".to_owned(),
            })
        })?;
        if let (Value::Integer(number), Some(range)) = (&value, range)
            && !range.contains(number)
        {
            return Err(wrong(format!(
                "{number} is not in {} to {}",
                range.start(),
                range.end()
            )));
        }
        setting.value = value;
        setting.origin = origin.clone();
        Ok(())
    }

    fn unknown(&self, key: &str, origin: &Origin) -> SettingsError {
        let likeness = |known: &str| strsim::jaro_winkler(known, key);
        let known = self.0.iter().map(|setting| setting.key.as_str());
        let nearest = known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        SettingsError::Unknown {
            key: key.to_owned(),
            place: origin.to_string(),
            nearest: nearest.filter(|known| likeness(known) > 0.85).map(str::to_owned),
        }
    }

    /// All of them, by section.
    pub(super) fn to_table(&self) -> Table {
        let mut table = Table::new();
        for Setting { key, value, .. } in &self.0 {
            if let Some((section, name)) = key.split_once('.') {
                let section = table.entry(section).or_insert_with(|| Table::new().into());
                section
                    .as_table_mut()
                    .map(|section| section.insert(name.to_owned(), value.clone()));
            }
        }
        table
    }
}

/// `section.key` and value; of what stands outside of a section the name alone.
fn in_sections(table: &Table) -> impl Iterator<Item = (String, &Value)> {
    table.iter().flat_map(|(section, value)| {
        let keys = value.as_table().into_iter().flatten();
        let keys = keys.map(move |(name, value)| (format!("{section}.{name}"), value));
        let outside = (!value.is_table()).then(|| (section.clone(), value));
        keys.chain(outside)
    })
}

fn table(file: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(file).map_err(|error| SettingsError::Unreadable(file.to_owned(), error))?;
    text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        SettingsError::Syntax {
            file: file.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            // Its own words alone: with the line's text it might show a secret.
            problem: error.message().to_owned(),
        }
    })
}

/// The text of a variable as a value of the same kind.
fn read_as(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        _ => Some(Value::String(text.to_owned())),
    }
}
