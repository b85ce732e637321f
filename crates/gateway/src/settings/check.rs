//! What the settings are checked for beside types and ranges: addresses, lists, and what goes together.

use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr as _;

use axum::http::HeaderValue;
use secrecy::ExposeSecret as _;
use tracing_subscriber::filter::Targets;
use url::Url;

use crate::telemetry::spans;

use super::{IpNetwork, Settings, SettingsError, list, set};

impl Settings {
    /// Whether the values can be used together; the first that cannot stops the start.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.check_server()?;
        self.check_upstream()?;
        self.check_database()?;
        self.check_instance()
    }

    fn check_server(&self) -> Result<(), SettingsError> {
        let Self {
            server,
            cors,
            secrets,
            log,
            metrics,
            tracing,
            sentry,
            ..
        } = self;
        if let Some(address) = set(&server.public_url)
            && web_address("server.public_url", address)?.path() != "/"
        {
            return Err(wrong("server.public_url", "it is an origin, without a path"));
        }
        if let Err(error) = list::<IpNetwork>(&server.trusted_proxies) {
            return Err(wrong("server.trusted_proxies", error));
        }
        if list::<HeaderValue>(&cors.origins).is_err() {
            return Err(wrong(
                "cors.origins",
                "it is a list of origins such as https://data.acme.example",
            ));
        }
        if set(secrets.keys.expose_secret()).is_some() && set(&secrets.keys_file).is_some() {
            return Err(wrong("secrets.keys_file", "give the keys or the file, not both"));
        }
        if let Err(error) = log.filter.parse::<Targets>() {
            return Err(wrong("log.filter", error));
        }
        if set(&metrics.listen).is_some_and(|address| address.parse::<SocketAddr>().is_err()) {
            return Err(wrong("metrics.listen", "it is an address and a port: 127.0.0.1:9090"));
        }
        if let Some(address) = set(&tracing.otlp_endpoint) {
            web_address("tracing.otlp_endpoint", address)?;
        }
        if spans::headers(tracing.otlp_headers.expose_secret()).is_none() {
            return Err(wrong("tracing.otlp_headers", "it is a list: name=value, name=value"));
        }
        if set(&tracing.service_name).is_none() {
            return Err(wrong("tracing.service_name", "it is not empty"));
        }
        if let Some(dsn) = set(sentry.dsn.expose_secret())
            && sentry::types::Dsn::from_str(dsn).is_err()
        {
            return Err(wrong("sentry.dsn", "it is no Sentry DSN (https://KEY@HOST/PROJECT)"));
        }
        Ok(())
    }

    fn check_upstream(&self) -> Result<(), SettingsError> {
        let Self { upstream, .. } = self;
        self.upstream_address("upstream.base_url", &upstream.base_url)?;
        for (key, address) in [
            ("upstream.metadata_url", &upstream.metadata_url),
            ("upstream.semantic_layer_url", &upstream.semantic_layer_url),
        ] {
            if set(address).is_some() && self.upstream_address(key, address)?.path() != "/" {
                return Err(wrong(key, "it is an origin, without a path"));
            }
        }
        if set(upstream.token.expose_secret()).is_some() != (upstream.account_id != 0) {
            return Err(wrong(
                "upstream.account_id",
                "a token and its account (DBT_TOKEN, DBT_ACCOUNT_ID) go together",
            ));
        }
        Ok(())
    }

    fn check_database(&self) -> Result<(), SettingsError> {
        let Self { database, .. } = self;
        let url = database.url.expose_secret();
        if set(url).is_some()
            && !["postgres://", "postgresql://"]
                .iter()
                .any(|scheme| url.starts_with(scheme))
        {
            return Err(wrong("database.url", "it starts with postgres:// or postgresql://"));
        }
        Ok(())
    }

    fn check_instance(&self) -> Result<(), SettingsError> {
        let Self { instance, .. } = self;
        if instance.dead_after_secs < 2 * instance.heartbeat_secs {
            return Err(wrong(
                "instance.dead_after_secs",
                "it is at least twice instance.heartbeat_secs",
            ));
        }
        Ok(())
    }

    fn upstream_address(&self, key: &'static str, address: &str) -> Result<Url, SettingsError> {
        let url = web_address(key, address)?;
        if url.scheme() == "http" && !address_rules::is_loopback(&url) && !self.upstream.allow_plain_http {
            let problem = "plain http would send the token in the clear; use https, or set upstream.allow_plain_http";
            return Err(wrong(key, problem));
        }
        Ok(url)
    }
}

fn web_address(key: &'static str, address: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(address).map_err(|error| wrong(key, error))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() && plain && url.password().is_none() {
        Ok(url)
    } else {
        Err(wrong(
            key,
            "it is an http:// or https:// address without user, query and fragment",
        ))
    }
}

fn wrong(key: &str, problem: impl Display) -> SettingsError {
    SettingsError::Value {
        key: key.to_owned(),
        problem: problem.to_string(),
    }
}
