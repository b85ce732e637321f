//! Checks beyond types and ranges: the form of secrets, and values that must fit each other.

use std::net::SocketAddr;
use std::str::FromStr as _;

use secrecy::ExposeSecret as _;
use sentry::types::Dsn;
use url::Url;

use super::error::SettingsError;
use super::fields::Settings;
use super::parsed::{Optional, Origin, header_list, set};

impl Settings {
    /// The address of health checks and metrics, by its name or its earlier one.
    pub(crate) fn health_listen(&self) -> Option<SocketAddr> {
        self.health.listen.0.or(self.metrics.listen.0)
    }

    /// Fails with the first value that cannot be used.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let Self {
            secrets,
            upstream,
            database,
            instance,
            health,
            metrics,
            tracing,
            sentry,
            ..
        } = self;
        let is_encrypted =
            |url: &Url| upstream.allow_plain_http || url.scheme() == "https" || address_rules::is_loopback(url);
        let is_unset_or_encrypted = |url: &Optional<Origin>| url.0.as_ref().is_none_or(|url| is_encrypted(&url.0));
        let plain_http = "http would send the token unencrypted; use https, or set upstream.allow_plain_http";
        let is_postgres = |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
        for (key, is_usable, problem) in [
            (
                "secrets.keys_file",
                set(secrets.keys.expose_secret()).is_none() || secrets.keys_file.0.is_none(),
                "set either the keys or the file, not both",
            ),
            ("upstream.base_url", is_encrypted(&upstream.base_url.0.0), plain_http),
            (
                "upstream.metadata_url",
                is_unset_or_encrypted(&upstream.metadata_url),
                plain_http,
            ),
            (
                "upstream.semantic_layer_url",
                is_unset_or_encrypted(&upstream.semantic_layer_url),
                plain_http,
            ),
            (
                "upstream.token_file",
                set(upstream.token.expose_secret()).is_none() || upstream.token_file.0.is_none(),
                "set either the token or its file, not both",
            ),
            (
                "upstream.account_id",
                (set(upstream.token.expose_secret()).is_some() || upstream.token_file.0.is_some())
                    == (upstream.account_id != 0),
                "set a token and its account (DBT_TOKEN or DBT_TOKEN_FILE, and DBT_ACCOUNT_ID) together",
            ),
            (
                "upstream.dns_timeout_secs",
                upstream.dns_timeout_secs <= upstream.connect_timeout_secs,
                "must be at most upstream.connect_timeout_secs",
            ),
            (
                "database.url",
                set(database.url.expose_secret()).is_none_or(is_postgres),
                "must start with postgres:// or postgresql://",
            ),
            (
                "database.direct_url",
                set(database.direct_url.expose_secret()).is_none_or(is_postgres),
                "must start with postgres:// or postgresql://",
            ),
            (
                "database.direct_url",
                set(database.direct_url.expose_secret()).is_none() || set(database.url.expose_secret()).is_some(),
                "is the address past the pooler of database.url, which is not set",
            ),
            (
                "metrics.listen",
                metrics.listen.0.is_none() || health.listen.0.is_none() || metrics.listen.0 == health.listen.0,
                "is the earlier name of health.listen, which has another value; set health.listen alone",
            ),
            (
                "instance.dead_after_secs",
                instance.dead_after_secs >= 2 * instance.heartbeat_secs,
                "must be at least twice instance.heartbeat_secs",
            ),
            (
                "tracing.otlp_headers",
                header_list(tracing.otlp_headers.expose_secret()).is_some(),
                "must be a list: name=value, name=value",
            ),
            (
                "tracing.service_name",
                set(&tracing.service_name).is_some(),
                "must not be empty",
            ),
            (
                "sentry.dsn",
                set(sentry.dsn.expose_secret()).is_none_or(|dsn| Dsn::from_str(dsn).is_ok()),
                "not a Sentry DSN (https://KEY@HOST/PROJECT)",
            ),
        ] {
            if !is_usable {
                return Err(SettingsError::value(key, problem));
            }
        }
        Ok(())
    }
}
