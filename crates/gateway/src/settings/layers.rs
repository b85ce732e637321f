//! The layers of the settings: the defaults, a file, the environment; each overrides those before it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::SettingsError;
use super::field::Field;
use super::fields::FIELDS;

pub(super) const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// The prefix of the variables that name a section and a key: `DBT_GATEWAY__SERVER__LISTEN`.
const PREFIX: &str = "DBT_GATEWAY__";

/// The layer that a value is from.
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

/// A setting with the value of the highest layer that has one.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) field: &'static Field,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Every setting, in the order of `FIELDS`.
#[derive(Debug)]
pub(super) struct Layers(pub(super) Vec<Setting>);

impl Layers {
    pub(super) fn read(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<Self, SettingsError> {
        let defaults: Table = DEFAULTS.parse()?;
        let with_default = |field: &'static Field| {
            Some(Setting {
                field,
                value: defaults.get(field.section)?.get(field.name)?.clone(),
                origin: Origin::Default,
            })
        };
        let mut layers = Self(FIELDS.iter().filter_map(with_default).collect());
        if let Some(file) = file {
            let origin = Origin::File(file.to_owned());
            for (key, value) in by_key(read_file(file)?) {
                layers.set(&key, &origin, |_| Some(value))?;
            }
        }
        let mut variables: Vec<_> = environment.iter().collect();
        variables.sort();
        let long = variables.into_iter().filter_map(|(name, text)| {
            let key = name.strip_prefix(PREFIX)?;
            Some((name.as_str(), key.to_lowercase().replace("__", "."), text))
        });
        // Scripts leave an unset variable empty.
        let short = FIELDS.iter().filter_map(|field| {
            let name = field.short_name?;
            let text = environment.get(name).filter(|text| !text.is_empty())?;
            Some((name, field.key.to_owned(), text))
        });
        for (name, key, text) in long.chain(short) {
            let origin = Origin::Variable(name.to_owned());
            layers.set(&key, &origin, |default| parse_like(default, text))?;
        }
        Ok(layers)
    }

    /// `value` returns a value of the same type as the one passed to it, if possible.
    fn set(
        &mut self,
        key: &str,
        origin: &Origin,
        value: impl FnOnce(&Value) -> Option<Value>,
    ) -> Result<(), SettingsError> {
        let Some(setting) = self.0.iter_mut().find(|setting| setting.field.key == key) else {
            return Err(unknown(key, origin));
        };
        let wrong = |problem: String| SettingsError::value(key, format!("{problem} ({origin})"));
        let Field {
            range,
            is_environment_only,
            ..
        } = *setting.field;
        if is_environment_only && matches!(origin, Origin::File(_)) {
            return Err(wrong("a secret belongs in the environment, not in a file".to_owned()));
        }
        let value = value(&setting.value).filter(|value| value.same_type(&setting.value));
        let value = value.ok_or_else(|| {
            wrong(match (&setting.value, range) {
                (Value::Integer(_), Some((min, max))) => format!("not a whole number in {min} to {max}"),
                (Value::Boolean(_), _) => "neither true nor false".to_owned(),
                _ => "not a text in quotation marks".to_owned(),
            })
        })?;
        if let (Value::Integer(number), Some((min, max))) = (&value, range)
            && !(min..=max).contains(number)
        {
            return Err(wrong(format!("{number} is not in {min} to {max}")));
        }
        setting.value = value;
        setting.origin = origin.clone();
        Ok(())
    }

    /// A table of sections.
    pub(super) fn to_table(&self) -> Table {
        let mut sections = Table::new();
        for Setting { field, value, .. } in &self.0 {
            let section = sections.entry(field.section).or_insert_with(|| Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(field.name.to_owned(), value.clone());
            }
        }
        sections
    }
}

fn unknown(key: &str, origin: &Origin) -> SettingsError {
    let similarity = |field: &Field| strsim::jaro_winkler(field.key, key);
    let nearest = FIELDS.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    SettingsError::Unknown {
        key: key.to_owned(),
        origin: origin.to_string(),
        nearest: nearest.filter(|field| similarity(field) > 0.85).map(|field| field.key),
    }
}

/// `section.name` and value; a value outside of a section has its name alone.
fn by_key(table: Table) -> impl Iterator<Item = (String, Value)> {
    table.into_iter().flat_map(|(section, value)| match value {
        Value::Table(section_values) => section_values
            .into_iter()
            .map(|(name, value)| (format!("{section}.{name}"), value))
            .collect(),
        value => vec![(section, value)],
    })
}

fn read_file(file: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(file).map_err(|error| SettingsError::Unreadable(file.to_owned(), error))?;
    text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        SettingsError::Syntax {
            file: file.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            // The whole message quotes the line, which may hold a secret.
            problem: error.message().to_owned(),
        }
    })
}

/// The text of a variable as a value of the default's type.
fn parse_like(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        _ => Some(Value::String(text.to_owned())),
    }
}
