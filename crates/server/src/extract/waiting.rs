//! How a caller waits for a run.

use std::time::Duration;

use client::{OnEnd, WaitOptions};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::{Kind, Problem};
use crate::words::OnEndWords;

/// How long a caller waits that does not say: less than proxies do.
const DEFAULT_SECONDS: u64 = 50;

/// What becomes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnEndWord {
    Leave,
    Cancel,
}

impl From<OnEndWord> for OnEnd {
    fn from(word: OnEndWord) -> Self {
        match word {
            OnEndWord::Leave => Self::Leave,
            OnEndWord::Cancel => Self::Cancel,
        }
    }
}

/// Waiting for the run that a request starts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitParams {
    /// Whether the answer waits until the run has ended: 201 with the ended run, or 202 with the run as it is when the time
    /// is up.
    #[serde(default)]
    #[param(default = false)]
    wait: bool,
    /// With `wait`: how long. Proxies often cut silent requests at 60 seconds.
    #[param(minimum = 1, maximum = 3600, default = 50)]
    timeout_seconds: Option<u64>,
    /// With `wait`: what becomes of a run that has not ended when the time is up.
    #[param(value_type = Option<OnEndWords>, default = "leave", example = "leave")]
    on_timeout: Option<OnEndWord>,
    /// With `wait`: what becomes of the run if the caller disconnects: `cancel` comes after `wait.disconnect_grace_secs`,
    /// unless another caller waits for the run by then, or the request is repeated with its `Idempotency-Key`.
    #[param(value_type = Option<OnEndWords>, default = "leave", example = "leave")]
    on_disconnect: Option<OnEndWord>,
}

impl WaitParams {
    pub(crate) const NAMES: &'static [&'static str] = &["wait", "timeout_seconds", "on_timeout", "on_disconnect"];

    /// How the caller waits, if it does.
    pub(crate) fn options(&self) -> Result<Option<WaitOptions>, Problem> {
        if !self.wait {
            // Explorers send defaults too.
            let is_default = |word: Option<OnEndWord>| word.is_none_or(|word| word == OnEndWord::Leave);
            let is_alone = self.timeout_seconds.is_none_or(|seconds| seconds == DEFAULT_SECONDS)
                && is_default(self.on_timeout)
                && is_default(self.on_disconnect);
            return if is_alone {
                Ok(None)
            } else {
                let detail = "In the query: `timeout_seconds`, `on_timeout` and `on_disconnect` need `wait=true`. Nothing was sent.";
                Err(Problem::new(Kind::INVALID_REQUEST, detail))
            };
        }
        Ok(Some(WaitOptions {
            timeout: timeout(self.timeout_seconds)?,
            on_timeout: self.on_timeout.map(OnEnd::from).unwrap_or_default(),
            on_disconnect: self.on_disconnect.map(OnEnd::from).unwrap_or_default(),
        }))
    }
}

/// How long a caller waits.
pub(crate) fn timeout(seconds: Option<u64>) -> Result<Duration, Problem> {
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    if !(1..=3600).contains(&seconds) {
        let detail = "In the query: `timeout_seconds` goes from 1 to 3600.";
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    Ok(Duration::from_secs(seconds))
}
