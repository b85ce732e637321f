//! The layers of the settings, and the short names that users expect.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};

use super::Settings;

const DEFAULTS: &str = include_str!("../../../../config/default.toml");

/// Short names of the environment, and the keys they stand for.
const SHORT_NAMES: [(&str, &str); 11] = [
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
    ("SENTRY_DSN", "sentry.dsn"),
];

/// The settings are unusable; the start stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// A file is missing or no TOML, a key is unknown, or a value is of the wrong type.
    #[error("unusable settings")]
    Load(#[from] config::ConfigError),
    /// A value is outside its range.
    #[error("unusable setting {key}: {problem}")]
    Value {
        /// `section.key`.
        key: &'static str,
        /// What would be right.
        problem: String,
    },
}

impl Settings {
    /// The settings of this process.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::of(file, std::env::vars().collect())
    }

    /// The settings of a process with that environment.
    pub(crate) fn of(file: Option<&Path>, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let mut layers = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            layers = layers.add_source(File::from(file).format(FileFormat::Toml));
        }
        for (name, key) in SHORT_NAMES {
            // Set but empty means not set, as scripts leave it.
            let value = environment.get(name).filter(|value| !value.is_empty());
            layers = layers.set_override_option(key, value.cloned())?;
        }
        let long_names = Environment::with_prefix("DBT_GATEWAY")
            .prefix_separator("__")
            .separator("__");
        let settings: Self = layers
            .add_source(long_names.source(Some(environment)))
            .build()?
            .try_deserialize()?;
        settings.check()?;
        Ok(settings)
    }
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
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::of(
            None,
            variables
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
        let settings = Settings::of(Some(file.path()), HashMap::new()).unwrap();
        assert_eq!((settings.gather.concurrency, settings.retry.max_retries), (2, 2));
    }

    #[test]
    fn an_unknown_key_or_a_bad_value_stops_the_start_by_name() {
        let cases = [
            (("DBT_GATEWAY__SERVER__LISTN", "x"), "listn"),
            (("DBT_GATEWAY__GATHER__CONCURRENCY", "many"), "gather.concurrency"),
            (
                ("DBT_GATEWAY__GATHER__CONCURRENCY", "0"),
                "gather.concurrency: 0 is not in 1 to 32",
            ),
            (("DBT_GATEWAY_LISTEN", "everywhere"), "listen"),
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
            (("SENTRY_DSN", "not a dsn"), "sentry.dsn"),
            (("DBT_GATEWAY__LOG__FORMAT", "xml"), "log.format"),
        ];
        for ((name, value), expected) in cases {
            let complaint = complaint(&[("DBT_TOKEN", "t"), ("DBT_ACCOUNT_ID", "7"), (name, value)]);
            assert!(complaint.contains(expected), "{name}={value}: {complaint}");
        }
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
}
