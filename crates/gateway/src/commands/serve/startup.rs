//! What a start needs before it can serve: the database, and the way to dbt Cloud.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use client::Upstreams;
use dbt_api::{DbtWrappedApi, WrappedApi};
use model::{AccountId, CompanyId, Upstream, UpstreamSource};
use secrecy::{ExposeSecret as _, SecretString};
use storage::Database;
use tokio::time::{Instant, sleep};
use url::Url;

use super::layer_settings;
use crate::settings::{self, Optional, Origin, Settings, set};
use crate::telemetry::{TracedApi, spans};

/// Migrates the database, or requires that it is migrated. Waits for it to become available, within the settings.
pub(crate) async fn prepare(database: &Database, settings: &settings::Database, migrates: bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(settings.start_wait_secs);
    loop {
        let prepared = if migrates {
            database.migrate().await
        } else {
            database.require_schema().await
        };
        match prepared {
            Ok(()) => return Ok(()),
            Err(error) if error.is_unavailable() && Instant::now() < deadline => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database is not up yet");
                sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error).context("cannot use the database"),
        }
    }
}

/// The client of dbt Cloud; with tracing if spans are exported.
pub(crate) fn wrapped_api(settings: &Settings) -> anyhow::Result<Arc<dyn WrappedApi>> {
    let api = Arc::new(DbtWrappedApi::new(&layer_settings::http(settings)?)?);
    Ok(if spans::are_exported(settings) {
        Arc::new(TracedApi(api))
    } else {
        api
    })
}

/// The token in a file, without the white space around it.
///
/// # Errors
/// The file cannot be read, or is empty.
pub(crate) fn read_token(file: &Path) -> anyhow::Result<SecretString> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {} (upstream.token_file)", file.display()))?;
    let text = SecretString::from(text);
    let token =
        set(text.expose_secret()).with_context(|| format!("{} (upstream.token_file) is empty", file.display()))?;
    let is_one_line = token.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(is_one_line, "{} (upstream.token_file) is not one token", file.display());
    if fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o007 != 0) {
        tracing::warn!(file = %file.display(), "every user of this machine can read the file of the dbt token");
    }
    Ok(token.into())
}

/// The company of the credential from settings.
pub(crate) const SETTINGS_COMPANY: CompanyId = CompanyId(1);

/// The credential from settings: `default` of company 1, never stored.
///
/// # Errors
/// The file of the token cannot be read.
pub(crate) fn upstreams(settings: &Settings) -> anyhow::Result<Upstreams> {
    let upstream = &settings.upstream;
    let token = match &upstream.token_file.0 {
        Some(file) => read_token(file)?,
        None if set(upstream.token.expose_secret()).is_some() => upstream.token.clone(),
        None => {
            tracing::warn!("no dbt Cloud account: set DBT_TOKEN and DBT_ACCOUNT_ID");
            return Ok(Upstreams::default());
        }
    };
    let admin_url = upstream.base_url.0.0.clone();
    let origin = |url: &Optional<Origin>, default: fn(&Url) -> Url| match &url.0 {
        Some(Origin(url)) => url.clone(),
        None => default(&admin_url),
    };
    let credential = Upstream {
        source: UpstreamSource::Settings,
        name: "default".to_owned(),
        account_id: AccountId(upstream.account_id),
        metadata_url: origin(&upstream.metadata_url, address_rules::metadata_url),
        semantic_layer_url: origin(&upstream.semantic_layer_url, address_rules::semantic_layer_url),
        token,
        admin_url,
    };
    Ok(Upstreams::default().with(SETTINGS_COMPANY, credential))
}
