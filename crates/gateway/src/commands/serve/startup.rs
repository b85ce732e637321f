//! What a start needs before it can serve: the database, and the way to dbt Cloud.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use client::Upstreams;
use dbt_api::{DbtWrappedApi, WrappedApi};
use model::{AccountId, CompanyId, Upstream, UpstreamSource};
use secrecy::ExposeSecret as _;
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

/// The credential from settings: `default` of company 1, never stored.
pub(crate) fn upstreams(settings: &Settings) -> Upstreams {
    let upstream = &settings.upstream;
    if set(upstream.token.expose_secret()).is_none() {
        tracing::warn!("no dbt Cloud account: set DBT_TOKEN and DBT_ACCOUNT_ID");
        return Upstreams::default();
    }
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
        token: upstream.token.clone(),
        admin_url,
    };
    Upstreams::default().with(CompanyId(1), credential)
}
