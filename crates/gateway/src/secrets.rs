//! Where the keys that encrypt stored tokens come from, and `dbt-gateway secrets rotate`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Credentials, Database, KeyRing};

use crate::database::{Postgres, data_dir, with_database};
use crate::settings::{Settings, set};

const FILE: &str = "secret-keys";

/// The stored credentials, with the keys that open them.
///
/// # Errors
/// Unusable keys; or a stored token whose key is missing, by that key's id.
pub(crate) async fn credentials(
    settings: &Settings,
    postgres: &Postgres,
    database: &Database,
) -> anyhow::Result<Credentials> {
    let ring = key_ring(settings, postgres)?;
    if ring.is_none() {
        tracing::warn!("no encryption key: credentials cannot be stored; set DBT_GATEWAY_SECRET_KEYS");
    }
    let credentials = Credentials::new(database, ring.map(Arc::new));
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

/// Seals every stored token with the first encryption key. Safe beside running gateways that have both keys.
pub(crate) fn rotate(settings: &Settings) -> anyhow::Result<()> {
    let report = with_database(settings, async |database, postgres| {
        database.migrate().await.context("cannot migrate")?;
        let credentials = credentials(settings, postgres, database).await?;
        credentials
            .rotate()
            .await
            .context("the tokens were not all sealed anew")
    })?;
    writeln!(
        std::io::stdout(),
        "sealed anew: {}, already so: {}",
        report.re_encrypted,
        report.already
    )?;
    Ok(())
}

/// From the settings, else from the private Postgres's directory, where one is made.
fn key_ring(settings: &Settings, postgres: &Postgres) -> anyhow::Result<Option<KeyRing>> {
    match (given(settings)?, postgres) {
        (None, Postgres::Private(_)) => made_once(&data_dir(settings)?.join(FILE)).map(Some),
        (given, _) => Ok(given),
    }
}

/// The keys that the settings give: in the environment, else in a file.
pub(crate) fn given(settings: &Settings) -> anyhow::Result<Option<KeyRing>> {
    if let Some(keys) = set(settings.secrets.keys.expose_secret()) {
        return Ok(Some(KeyRing::parse(keys).context("DBT_GATEWAY_SECRET_KEYS")?));
    }
    set(&settings.secrets.keys_file)
        .map(|file| read(Path::new(file)))
        .transpose()
}

fn read(file: &Path) -> anyhow::Result<KeyRing> {
    let text = SecretString::from(fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?);
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    ensure!(
        matches!(mode, 0o600 | 0o400),
        "{} is open to others: chmod 600 it",
        file.display()
    );
    KeyRing::parse(text.expose_secret()).with_context(|| file.display().to_string())
}

/// The file, made at the first start. Two processes that start at once agree on the one that was made first.
fn made_once(file: &Path) -> anyhow::Result<KeyRing> {
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
                "made an encryption key beside the database: a copy of this directory is a copy of the stored tokens"
            ),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => bail!("cannot make {}: {error}", file.display()),
        }
        fs::remove_file(&draft)?;
    }
    read(file)
}
