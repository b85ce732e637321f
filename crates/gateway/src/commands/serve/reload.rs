//! What is read again while the process runs: the files of the encryption keys and of the dbt token when they change, and the
//! log filter on SIGHUP. What cannot be used is logged, and the previous one stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use client::{ClientSettings, Upstreams};
use model::InstanceId;
use secrecy::{ExposeSecret as _, SecretString};
use storage::{Credentials, Database, Instances};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::background::every;
use super::startup::{SETTINGS_COMPANY, read_token, upstreams};
use crate::key_ring;
use crate::settings::Settings;
use crate::telemetry;

/// What uses the files.
pub(crate) struct Reloaded {
    /// Holds the token.
    pub(crate) upstreams: Upstreams,
    /// Hold the encryption keys.
    pub(crate) credentials: Credentials,
    /// Where the ids of the keys are published.
    pub(crate) instances: Instances,
    /// This process.
    pub(crate) instance: InstanceId,
}

/// Reads the files periodically and on SIGHUP.
pub(crate) struct Reload {
    parts: Reloaded,
    keys: Option<Watched>,
    token: Option<Watched>,
    /// The settings file, for the log filter.
    settings_file: Option<PathBuf>,
}

/// A file, and what was read from it last.
struct Watched {
    file: PathBuf,
    content: Option<SecretString>,
    /// The last problem, which is logged once.
    problem: Option<String>,
}

impl Reload {
    pub(crate) fn new(settings: &Settings, settings_file: Option<&Path>, parts: Reloaded) -> Self {
        Self {
            parts,
            keys: settings.secrets.keys_file.0.clone().map(Watched::new),
            token: settings.upstream.token_file.0.clone().map(Watched::new),
            settings_file: settings_file.map(Path::to_owned),
        }
    }

    /// Starts the task. `hangups` counts SIGHUP.
    pub(crate) fn start(mut self, pause: Duration, mut hangups: watch::Receiver<u64>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut ticks = every(pause);
            loop {
                let is_hangup = tokio::select! {
                    _ = ticks.tick() => false,
                    changed = hangups.changed() => changed.is_ok(),
                };
                if is_hangup {
                    self.reload_filter();
                }
                self.reload_files().await;
            }
        })
    }

    fn reload_filter(&self) {
        let filter = Settings::load(self.settings_file.as_deref()).map_err(anyhow::Error::from);
        match filter.and_then(|settings| telemetry::set_filter(&settings.log.filter.0)) {
            Ok(filter) => tracing::info!(filter, "the log filter was read again"),
            Err(error) => tracing::error!(
                error = &*error as &dyn std::error::Error,
                "SIGHUP: the log filter stays as it was"
            ),
        }
    }

    async fn reload_files(&mut self) {
        let Self { parts, keys, token, .. } = self;
        if let Some(watched) = token
            && let Some(text) = watched.changed().await
        {
            let file = watched.file.clone();
            let read = spawn_blocking(move || read_token(&file)).await;
            let done = read.map_err(anyhow::Error::from).flatten().map(|token| {
                parts.upstreams.replace_token(SETTINGS_COMPANY, &token);
            });
            watched.finish(text, done, "the dbt token was read again");
        }
        if let Some(watched) = keys
            && let Some(text) = watched.changed().await
        {
            let done = parts.replace_keys(&watched.file).await;
            watched.finish(text, done, "the encryption keys were read again");
        }
    }
}

impl Reloaded {
    /// Prepares the credentials of a process, and publishes the ids of its encryption keys, so that the other processes encrypt
    /// with keys that this one has.
    pub(crate) async fn publish(
        settings: &Settings,
        client_settings: &ClientSettings,
        credentials: &Credentials,
        database: &Database,
        instance: InstanceId,
    ) -> anyhow::Result<Self> {
        let instances = Instances::new(database);
        instances
            .publish_keys(instance, &credentials.keys().ids())
            .await
            .context("the ids of the encryption keys cannot be published")?;
        Ok(Self {
            upstreams: upstreams(settings)?.with_stored(
                Arc::new(credentials.clone()),
                client_settings.key_max_age,
                client_settings.look_up_limit,
            ),
            credentials: credentials.clone(),
            instances,
            instance,
        })
    }

    /// Replaces the keys by those in the file.
    async fn replace_keys(&self, file: &Path) -> anyhow::Result<()> {
        let file = file.to_owned();
        let ring = spawn_blocking(move || key_ring::read(&file)).await??;
        let new: Vec<_> = ring.ids().map(str::to_owned).collect();
        let missing = self.credentials.missing_from(&new).await?;
        ensure!(
            missing.is_empty(),
            "stored tokens need the encryption key {}",
            missing.join(", ")
        );
        let keys = self.credentials.keys();
        Ok(self.instances.replace_keys(self.instance, keys, Arc::new(ring)).await?)
    }
}

impl Watched {
    fn new(file: PathBuf) -> Self {
        Self {
            file,
            // Read again at the first tick: it may have changed since the start read it.
            content: None,
            problem: None,
        }
    }

    /// The content, if it is not that of the last time. By content, not by time: a mounted secret is a link that moves.
    async fn changed(&mut self) -> Option<SecretString> {
        let file = self.file.clone();
        let text = match spawn_blocking(move || read(&file)).await {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                self.log_problem(&anyhow::Error::from(error).context("it cannot be read"));
                return None;
            }
            Err(_) => return None,
        };
        let same = |last: &SecretString| last.expose_secret() == text.expose_secret();
        (!self.content.as_ref().is_some_and(same)).then_some(text)
    }

    /// Remembers a content that is in use; another is tried again at the next tick.
    fn finish(&mut self, text: SecretString, done: anyhow::Result<()>, message: &str) {
        match done {
            Ok(()) => {
                let is_first = self.content.replace(text).is_none();
                self.problem = None;
                if !is_first {
                    tracing::info!(file = %self.file.display(), "{message}");
                }
            }
            Err(error) => self.log_problem(&error),
        }
    }

    fn log_problem(&mut self, error: &anyhow::Error) {
        let problem = format!("{error:#}");
        if self.problem.as_ref() != Some(&problem) {
            tracing::error!(
                file = %self.file.display(),
                error = &**error as &dyn std::error::Error,
                "the changed file cannot be used; what was read before stays in use"
            );
            self.problem = Some(problem);
        }
    }
}

fn read(file: &Path) -> io::Result<SecretString> {
    fs::read_to_string(file).map(SecretString::from)
}
