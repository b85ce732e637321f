//! The output of `dbt-gateway config show`: TOML with secrets masked and the origin of each value.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use toml::Value;
use url::Url;

use super::error::SettingsError;
use super::fields::Settings;
use super::layers::{Layers, Setting};
use super::load;

/// Replaces a secret.
const MASK: &str = "********";

/// All settings of this process.
pub(crate) fn show(file: Option<&Path>) -> Result<String, SettingsError> {
    show_of(file, &load::environment())
}

fn show_of(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<String, SettingsError> {
    let layers = Layers::read(file, environment)?;
    // Fails like a start would.
    Settings::from_layers(&layers)?;
    let mut text = String::new();
    let mut section = "";
    for setting in &layers.0 {
        let Setting { field, origin, .. } = setting;
        if field.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = field.section;
            let _ = writeln!(text, "{gap}[{section}]");
        }
        let _ = writeln!(text, "{} = {} # {origin}", field.name, masked(setting));
    }
    Ok(text)
}

/// The value; of a secret only what is not secret.
fn masked(Setting { field, value, .. }: &Setting) -> Value {
    match value.as_str() {
        Some(text) if field.is_secret() && !text.trim().is_empty() => {
            let visible = match field.key {
                "database.url" => without_password(text),
                "sentry.dsn" => without_key(text),
                _ => None,
            };
            visible.unwrap_or_else(|| MASK.to_owned()).into()
        }
        _ => value.clone(),
    }
}

/// A database address without the password in its user part or query.
fn without_password(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if url.password().is_some() {
        url.set_password(Some(MASK)).ok()?;
    }
    if url.query().is_some_and(|query| query.contains("password")) {
        url.set_query(Some(MASK));
    }
    Some(url.into())
}

/// A Sentry DSN without its key, which is the user part.
fn without_key(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    url.set_username(MASK).ok()?;
    url.set_password(None).ok()?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(owned).collect()
    }

    #[test]
    fn each_setting_is_shown_with_its_origin() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[gather]\nconcurrency = 2\n").unwrap();
        let variables = environment(&[
            ("DBT_GATEWAY_LISTEN", "0.0.0.0:2"),
            ("DBT_GATEWAY__SERVER__READ_ONLY", "true"),
        ]);
        let shown = show_of(Some(file.path()), &variables).unwrap();
        for line in [
            "[server]\nlisten = \"0.0.0.0:2\" # DBT_GATEWAY_LISTEN\n".to_owned(),
            "read_only = true # DBT_GATEWAY__SERVER__READ_ONLY\n".to_owned(),
            format!("\n[gather]\nconcurrency = 2 # {}\n", file.path().display()),
            "max_retries = 2 # default\n".to_owned(),
        ] {
            assert!(shown.contains(&line), "{line:?} is not in\n{shown}");
        }
    }

    #[test]
    fn the_output_without_secrets_is_a_file_of_the_same_settings() {
        let shown = show_of(None, &HashMap::new()).unwrap();
        // A file must not have these keys, even when they are empty.
        let secrets = ["keys = ", "token = ", "otlp_headers = "];
        let lines = shown
            .lines()
            .filter(|line| !secrets.iter().any(|secret| line.starts_with(secret)));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.collect::<Vec<_>>().join("\n")).unwrap();
        let again = show_of(Some(file.path()), &HashMap::new()).unwrap();
        let values = |shown: &str| toml::from_str::<toml::Table>(shown).unwrap();
        assert_eq!(values(&again), values(&shown));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let variables = environment(&[
            ("DBT_TOKEN", "planted-1"),
            ("DBT_ACCOUNT_ID", "7"),
            ("DBT_GATEWAY_SECRET_KEYS", "2026:planted-2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=planted-6"),
            ("SENTRY_DSN", "https://planted-3@sentry.acme.example/1"),
            (
                "DATABASE_URL",
                "postgres://gateway:planted-4@db.acme.example/gateway?password=planted-5",
            ),
        ]);
        let shown = show_of(None, &variables).unwrap();
        assert!(!shown.contains("planted"), "{shown}");
        for seen in [
            "gateway:********@db.acme.example/gateway",
            "https://********@sentry.acme.example/1",
        ] {
            assert!(shown.contains(seen), "{seen} is not in\n{shown}");
        }
    }

    #[test]
    fn every_secret_string_is_masked() {
        let layers = Layers::read(None, &HashMap::new()).unwrap();
        let secrets: Vec<_> = layers.0.iter().filter(|setting| setting.field.is_secret()).collect();
        for Setting { field, origin, .. } in &secrets {
            let value = Value::from("postgres://u:planted@h/d");
            let planted = Setting {
                field,
                value: value.clone(),
                origin: origin.clone(),
            };
            assert_ne!(masked(&planted), value, "{}", field.key);
        }
        let settings = format!("{:?}", Settings::from_layers(&layers).unwrap());
        assert_eq!(settings.matches("SecretBox").count(), secrets.len());
    }
}
