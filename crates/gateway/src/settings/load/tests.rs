use secrecy::ExposeSecret as _;

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

fn complaint(variables: &[(&str, &str)]) -> String {
    let error = with(variables).expect_err("these settings are wrong");
    format!(
        "{error}: {}",
        std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default()
    )
}

#[test]
fn the_defaults_are_usable_as_they_are() {
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
fn a_short_name_goes_over_a_long_one_and_an_empty_one_counts_for_nothing() {
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
fn a_file_goes_over_the_defaults_key_by_key() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), "[gather]\nconcurrency = 2\n").unwrap();
    let settings = Settings::of(Some(file.path()), &HashMap::new()).unwrap();
    assert_eq!((settings.gather.concurrency, settings.retry.max_retries), (2, 2));
}

#[test]
fn an_unknown_key_or_a_bad_value_stops_the_start_by_name() {
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
            "gather.concurrency: it is no whole number in 1 to 32 (DBT_GATEWAY__GATHER__CONCURRENCY)",
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
            "server.read_only: it is neither true nor false",
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
        let complaint = complaint(&[("DBT_TOKEN", "t"), ("DBT_ACCOUNT_ID", "7"), (name, value)]);
        assert!(complaint.contains(expected), "{name}={value}: {complaint}");
    }
}

#[test]
fn what_is_wrong_in_a_file_stops_the_start_by_name() {
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
            "gather.concurrency: it is no whole number in 1 to 32",
        ),
        (
            "[gather]\nconcurrency = 1.5",
            "gather.concurrency: it is no whole number in 1 to 32",
        ),
        (
            "[server]\nread_only = 1",
            "server.read_only: it is neither true nor false",
        ),
        ("[log]\nfilter = 1", "log.filter: it is no text in quotation marks"),
        ("[server]\n\nread_only = tru", ", line 3, is no TOML: "),
        ("[upstream]\ntoken = \"s3cret", ", line 2, is no TOML: "),
        (
            "[upstream]\ntoken = \"s3cret\"",
            "upstream.token: a secret belongs into the environment",
        ),
        (
            "[secrets]\nkeys = \"s3cret\"",
            "secrets.keys: a secret belongs into the environment",
        ),
        ("[database]\nurl = [\"s3cret\"]", "database.url: it is no text"),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    for (text, expected) in cases {
        std::fs::write(file.path(), text).unwrap();
        let error = Settings::of(Some(file.path()), &HashMap::new()).expect_err(text);
        let complaint = format!("{error} {error:?}");
        assert!(complaint.contains(expected), "{text}: {complaint}");
        assert!(!complaint.contains("s3cret"), "{complaint}");
    }
    let error = Settings::of(Some(Path::new("/no/such/file")), &HashMap::new()).expect_err("there is none");
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[test]
fn what_an_orchestrator_puts_into_the_environment_is_no_setting() {
    with(&[
        ("DBT_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("DBT_GATEWAY_PORT", "tcp://10.0.0.1:80"),
    ])
    .unwrap();
}

#[test]
fn no_complaint_shows_a_secret() {
    let settings = [
        ("DBT_TOKEN", "s3cret"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d"),
        ("SENTRY_DSN", "s3cret"),
    ];
    assert!(!complaint(&settings).contains("s3cret"), "{}", complaint(&settings));
}
