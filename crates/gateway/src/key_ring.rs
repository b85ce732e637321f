//! Where the keys that encrypt stored dbt tokens come from.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Credentials, Database, KeyRing};

use crate::database::{Postgres, data_dir};
use crate::settings::{Settings, set};

const FILE: &str = "secret-keys";

/// The stored credentials, with the keys that decrypt them.
///
/// # Errors
/// Unusable keys; or a stored token whose key is missing, with that key's id.
pub(crate) async fn credentials(
    settings: &Settings,
    postgres: &Postgres,
    database: &Database,
) -> anyhow::Result<Credentials> {
    let ring = key_ring(settings, postgres)?;
    if ring.is_none() {
        tracing::warn!("no encryption key: credentials cannot be stored; set DBT_GATEWAY_SECRET_KEYS");
    }
    let dead_after = Duration::from_secs(settings.instance.dead_after_secs);
    let credentials = Credentials::new(database, ring.map(Arc::new)).with_dead_after(dead_after);
    let missing = credentials
        .missing_keys()
        .await
        .context("cannot look for missing encryption keys")?;
    ensure!(
        missing.is_empty(),
        "stored tokens need the encryption key {}, which DBT_GATEWAY_SECRET_KEYS or secrets.keys_file lacks",
        missing.join(", ")
    );
    Ok(credentials)
}

/// The keys in the settings, else those beside the private Postgres, created at the first start.
fn key_ring(settings: &Settings, postgres: &Postgres) -> anyhow::Result<Option<KeyRing>> {
    match (from_settings(settings)?, postgres) {
        (None, Postgres::Private(_)) => read_or_create(&data_dir(settings)?.join(FILE)).map(Some),
        (ring, _) => Ok(ring),
    }
}

/// The keys in the environment or in the file of `secrets.keys_file`.
pub(crate) fn from_settings(settings: &Settings) -> anyhow::Result<Option<KeyRing>> {
    if let Some(keys) = set(settings.secrets.keys.expose_secret()) {
        return Ok(Some(KeyRing::parse(keys).context("DBT_GATEWAY_SECRET_KEYS")?));
    }
    settings.secrets.keys_file.0.as_deref().map(read).transpose()
}

pub(crate) fn read(file: &Path) -> anyhow::Result<KeyRing> {
    let text = SecretString::from(fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?);
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    ensure!(
        matches!(mode, 0o600 | 0o400),
        "other users can read {}: chmod 600 it",
        file.display()
    );
    KeyRing::parse(text.expose_secret()).with_context(|| file.display().to_string())
}

/// Two processes that start concurrently use the file that was created first.
fn read_or_create(file: &Path) -> anyhow::Result<KeyRing> {
    if !file.exists() {
        let text = KeyRing::generate("made-here")?.to_text();
        let draft = file.with_extension(std::process::id().to_string());
        let mut out = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&draft)?;
        out.write_all(text.expose_secret().as_bytes())?;
        out.sync_all()?;
        match fs::hard_link(&draft, file) {
            Ok(()) => tracing::warn!(
                file = %file.display(),
                "created an encryption key beside the database: a copy of this directory reveals the stored tokens"
            ),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => bail!("cannot create {}: {error}", file.display()),
        }
        fs::remove_file(&draft)?;
    }
    read(file)
}
