use std::collections::HashMap;
use std::path::Path;

use secrecy::ExposeSecret as _;

use super::error::SettingsError;
use super::field::Field;
use super::fields::FIELDS;
use super::layers::{DEFAULTS, Layers};
use super::*;

fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::of(
        None,
        &variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

fn message(variables: &[(&str, &str)]) -> String {
    let error = with(variables).expect_err("these settings are wrong");
    format!(
        "{error}: {}",
        std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default()
    )
}

#[test]
fn the_defaults_are_usable() {
    let settings = with(&[]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        (
            settings.upstream.connect_timeout_secs,
            settings.upstream.read_timeout_secs
        ),
        (5, 120)
    );
    assert_eq!((settings.upstream.deadline_secs, settings.gather.concurrency), (150, 8));
}

#[test]
fn a_short_name_overrides_a_long_one_and_an_empty_one_is_ignored() {
    let settings = with(&[
        ("DBT_GATEWAY__SERVER__LISTEN", "0.0.0.0:1"),
        ("DBT_GATEWAY_LISTEN", "0.0.0.0:2"),
        ("DBT_TOKEN", "0012e3"),
        ("DBT_ACCOUNT_ID", "7"),
        ("DBT_GATEWAY__GATHER__CONCURRENCY", "3"),
        ("DATABASE_URL", ""),
    ])
    .unwrap();
    assert_eq!(settings.server.listen.port(), 2);
    assert_eq!(
        settings.upstream.token.expose_secret(),
        "0012e3",
        "a token is text, whatever it looks like"
    );
    assert_eq!(settings.gather.concurrency, 3);
    assert_eq!(settings.database.url.expose_secret(), "");
}

#[test]
fn a_file_overrides_the_defaults_key_by_key() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), "[gather]\nconcurrency = 2\n").unwrap();
    let settings = Settings::of(Some(file.path()), &HashMap::new()).unwrap();
    assert_eq!((settings.gather.concurrency, settings.retry.max_retries), (2, 2));
}

#[test]
fn an_unknown_key_or_a_bad_value_stops_the_start_and_is_named() {
    let cases = [
        (
            ("DBT_GATEWAY__SERVER__LISTN", "x"),
            "unknown setting server.listn in DBT_GATEWAY__SERVER__LISTN; is server.listen meant?",
        ),
        (
            ("DBT_GATEWAY__ZZZZ", "x"),
            "unknown setting zzzz in DBT_GATEWAY__ZZZZ: ",
        ),
        (("DBT_GATEWAY__GATHER", "x"), "unknown setting gather in"),
        (
            ("DBT_GATEWAY__GATHER__CONCURRENCY", "many"),
            "gather.concurrency: not a whole number in 1 to 32 (DBT_GATEWAY__GATHER__CONCURRENCY)",
        ),
        (
            ("DBT_GATEWAY__GATHER__CONCURRENCY", "0"),
            "gather.concurrency: 0 is not in 1 to 32",
        ),
        (
            ("DBT_GATEWAY__GATHER__CONCURRENCY", "-1"),
            "gather.concurrency: -1 is not in 1 to 32",
        ),
        (
            ("DBT_GATEWAY__LIMITS__BURST", "5000000000"),
            "limits.burst: 5000000000 is not in 1 to 100000",
        ),
        (
            ("DBT_GATEWAY__SERVER__READ_ONLY", "yes"),
            "server.read_only: neither true nor false",
        ),
        (("DBT_GATEWAY_LISTEN", "everywhere"), "unusable setting server.listen: "),
        (
            ("DBT_GATEWAY__SERVER__PUBLIC_URL", "https://x.example/dbt"),
            "server.public_url",
        ),
        (
            ("DBT_GATEWAY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
            "server.trusted_proxies",
        ),
        (("DBT_BASE_URL", "ftp://x"), "upstream.base_url"),
        (
            ("DBT_BASE_URL", "http://dbt.acme.example/api"),
            "upstream.allow_plain_http",
        ),
        (("DBT_ACCOUNT_ID", "-1"), "upstream.account_id"),
        (("DBT_ACCOUNT_ID", "99999999999999999999"), "upstream.account_id"),
        (("SENTRY_DSN", "not a dsn"), "sentry.dsn"),
        (
            ("DBT_GATEWAY__LOG__FORMAT", "xml"),
            "unusable setting log.format: unknown variant `xml`, expected `pretty` or `json`",
        ),
        (("DBT_GATEWAY__LOG__FILTER", "a=b=c"), "unusable setting log.filter: "),
    ];
    for ((name, value), expected) in cases {
        let message = message(&[("DBT_TOKEN", "t"), ("DBT_ACCOUNT_ID", "7"), (name, value)]);
        assert!(message.contains(expected), "{name}={value}: {message}");
    }
}

#[test]
fn an_error_in_a_file_stops_the_start_and_names_the_key() {
    let cases = [
        ("[gathr]\nconcurrency = 1", "unknown setting gathr.concurrency in "),
        ("[gather]\nconcurency = 1", "; is gather.concurrency meant?"),
        ("gather = 1", "unknown setting gather in "),
        (
            "[gather]\nconcurrency = 33",
            "gather.concurrency: 33 is not in 1 to 32 (",
        ),
        (
            "[gather]\nconcurrency = \"8\"",
            "gather.concurrency: not a whole number in 1 to 32",
        ),
        (
            "[gather]\nconcurrency = 1.5",
            "gather.concurrency: not a whole number in 1 to 32",
        ),
        ("[server]\nread_only = 1", "server.read_only: neither true nor false"),
        ("[log]\nfilter = 1", "log.filter: not a text in quotation marks"),
        ("[server]\n\nread_only = tru", ", line 3, is not valid TOML: "),
        ("[upstream]\ntoken = \"s3cret", ", line 2, is not valid TOML: "),
        (
            "[upstream]\ntoken = \"s3cret\"",
            "upstream.token: a secret belongs in the environment",
        ),
        (
            "[secrets]\nkeys = \"s3cret\"",
            "secrets.keys: a secret belongs in the environment",
        ),
        ("[database]\nurl = [\"s3cret\"]", "database.url: not a text"),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    for (text, expected) in cases {
        std::fs::write(file.path(), text).unwrap();
        let error = Settings::of(Some(file.path()), &HashMap::new()).expect_err(text);
        let message = format!("{error} {error:?}");
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
    let error = Settings::of(Some(Path::new("/no/such/file")), &HashMap::new()).expect_err("no such file");
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[test]
fn variables_of_an_orchestrator_are_not_settings() {
    with(&[
        ("DBT_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("DBT_GATEWAY_PORT", "tcp://10.0.0.1:80"),
    ])
    .unwrap();
}

#[test]
fn no_error_shows_a_secret() {
    let settings = [
        ("DBT_TOKEN", "s3cret"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d"),
        ("SENTRY_DSN", "s3cret"),
    ];
    assert!(!message(&settings).contains("s3cret"), "{}", message(&settings));
}

/// The end of a number's comment in `config/default.toml`.
fn range_sentence(field: &Field) -> Option<String> {
    let (min, max) = field.range?;
    let units = [
        ("_secs", " seconds"),
        ("_ms", " milliseconds"),
        ("_bytes", " bytes"),
        ("_percent", " percent"),
        ("_days", " days"),
    ];
    let unit = units.iter().find(|(suffix, _)| field.name.ends_with(suffix));
    Some(format!("Range: {min} to {max}{}.", unit.map_or("", |(_, unit)| unit)))
}

#[test]
fn the_manual_documents_each_setting_with_its_range_and_its_short_name() {
    let (mut section, mut comment, mut keys) = ("", String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
        } else if let Some((name, _)) = line.split_once(" = ") {
            let key = format!("{section}.{name}");
            let field = FIELDS.iter().find(|field| field.key == key).expect(&key);
            assert!(!comment.is_empty(), "{key} has no comment");
            match range_sentence(field) {
                Some(range) => assert!(comment.ends_with(&range), "end the comment of {key} with: {range}"),
                None => assert!(!comment.contains("Range:"), "{key} has no range"),
            }
            if let Some(short_name) = field.short_name {
                assert!(comment.contains(short_name), "the comment of {key} lacks {short_name}");
            }
            keys.push(key);
            comment.clear();
        } else {
            section = line.trim_matches(['[', ']']);
            comment.clear();
        }
    }
    let fields: Vec<_> = FIELDS.iter().map(|field| field.key).collect();
    assert_eq!(keys, fields);
}

#[test]
fn every_number_and_nothing_else_has_a_range() {
    for setting in Layers::read(None, &HashMap::new()).unwrap().0 {
        let Field { key, range, .. } = setting.field;
        assert_eq!(range.is_some(), setting.value.is_integer(), "{key}");
    }
}

#[test]
fn every_range_is_checked_at_both_ends() {
    let with = |field: &Field, value: i64| {
        let variable = format!("DBT_GATEWAY__{}", field.key.to_uppercase().replace('.', "__"));
        let value = value.to_string();
        let mut variables = vec![(variable.as_str(), value.as_str())];
        // Values that must fit each other.
        match field.key {
            "upstream.account_id" if value != "0" => variables.push(("DBT_TOKEN", "t")),
            "upstream.connect_timeout_secs" => variables.push(("DBT_GATEWAY__UPSTREAM__DNS_TIMEOUT_SECS", "1")),
            "upstream.dns_timeout_secs" => variables.push(("DBT_GATEWAY__UPSTREAM__CONNECT_TIMEOUT_SECS", "60")),
            "instance.heartbeat_secs" => variables.push(("DBT_GATEWAY__INSTANCE__DEAD_AFTER_SECS", "3600")),
            "instance.dead_after_secs" => variables.push(("DBT_GATEWAY__INSTANCE__HEARTBEAT_SECS", "1")),
            _ => {}
        }
        super::tests::with(&variables).map_err(|error| error.to_string())
    };
    let ranges: Vec<_> = FIELDS.iter().filter_map(|field| Some((field, field.range?))).collect();
    assert!(ranges.len() > 50, "{ranges:?}");
    for (field, (min, max)) in ranges {
        let key = field.key;
        for usable in [min, max] {
            let settings = with(field, usable);
            assert!(settings.is_ok(), "{key} = {usable}: {settings:?}");
        }
        for outside in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let message = with(field, outside).expect_err(key);
            let expected = format!("unusable setting {key}: {outside} is not in {min} to {max} (");
            assert!(message.contains(&expected), "{message}");
        }
    }
}
