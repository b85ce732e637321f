//! Whether a run was just started through the gateway: dbt Cloud may not show it yet.

use std::sync::Arc;

use model::{AccountId, Clock, CompanyId, RunId};
use storage::StartedRuns;

use crate::NewRunSettings;

/// The look-up of just started runs, within one company.
pub(crate) struct NewRuns {
    pub(crate) runs: Arc<dyn StartedRuns>,
    pub(crate) settings: NewRunSettings,
    pub(crate) company: CompanyId,
}

impl NewRuns {
    /// Whether the log has a run started within `settings.young`; `false` where the look-up fails.
    pub(crate) async fn was_started(&self, account: AccountId, run: RunId, clock: &dyn Clock) -> bool {
        if self.settings.young.is_zero() {
            return false;
        }
        let since = clock.now() - self.settings.young;
        let found = self.runs.was_started(self.company, account, run, since).await;
        found.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not look up whether the run was just started"
            );
            false
        })
    }
}
