//! The settings as `dbt-gateway config show` prints them: TOML, secrets masked, each with where it is from.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use toml::Value;
use url::Url;

use super::layers::{Layers, Setting};
use super::{Settings, SettingsError, load};

/// What is shown of a secret.
const MASK: &str = "********";

/// All settings of this process.
pub(crate) fn show(file: Option<&Path>) -> Result<String, SettingsError> {
    show_of(file, &load::environment())
}

fn show_of(file: Option<&Path>, environment: &HashMap<String, String>) -> Result<String, SettingsError> {
    let layers = Layers::read(file, environment)?;
    // What would not start is not shown as if it would.
    Settings::from_layers(&layers)?;
    let mut text = String::new();
    let mut section = "";
    for Setting { key, value, origin } in &layers.0 {
        let Some((of, name)) = key.split_once('.') else {
            continue;
        };
        if of != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{of}]");
            section = of;
        }
        let _ = writeln!(text, "{name} = {} # {origin}", masked(key, value));
    }
    Ok(text)
}

/// The value, or what may be seen of it.
fn masked(key: &str, value: &Value) -> Value {
    let Some(text) = value.as_str().filter(|text| !text.trim().is_empty()) else {
        return value.clone();
    };
    match key {
        "secrets.keys" | "upstream.token" | "tracing.otlp_headers" => MASK.into(),
        "database.url" => without_password(text).into(),
        "sentry.dsn" => without_key(text).into(),
        _ => value.clone(),
    }
}

/// A database's address without the password, wherever in it that stands.
fn without_password(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return MASK.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    if url.query().is_some_and(|query| query.contains("password")) {
        url.set_query(Some(MASK));
    }
    url.to_string()
}

/// Sentry's address without the key, which stands in the place of a user.
fn without_key(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return MASK.to_owned();
    };
    if url.set_username(MASK).is_err() || url.set_password(None).is_err() {
        return MASK.to_owned();
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        variables.iter().map(owned).collect()
    }

    #[test]
    fn each_setting_stands_with_where_it_is_from() {
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
    fn what_is_shown_without_secrets_is_a_file_of_the_same_settings() {
        let shown = show_of(None, &HashMap::new()).unwrap();
        // Nothing secret is set, but their keys may not stand in a file at all.
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

    /// Whoever adds a secret to the settings finds it here.
    #[test]
    fn what_the_settings_hold_as_a_secret_is_masked() {
        let layers = Layers::read(None, &HashMap::new()).unwrap();
        let keys = layers.0.iter().map(|setting| setting.key.as_str());
        let secrets: Vec<_> = keys
            .filter(|key| {
                masked(key, &Value::from("postgres://u:planted@h/d")) != Value::from("postgres://u:planted@h/d")
            })
            .collect();
        let held = format!("{:?}", Settings::from_layers(&layers).unwrap());
        assert_eq!(held.matches("SecretBox").count(), secrets.len(), "{secrets:?}");
    }
}
