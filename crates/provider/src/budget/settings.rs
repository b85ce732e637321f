//! The limits of the budget.

use std::time::Duration;

use model::ClientType;
use storage::BudgetLimits;

/// The limits of each account.
#[derive(Debug, Clone, Copy)]
pub struct BudgetSettings {
    /// Requests a minute to the Administrative API; 0: not limited. The same holds, counted apart, for the Semantic Layer, for
    /// which dbt Cloud documents no limit.
    pub admin_per_minute: u32,
    /// Requests a minute to the Discovery API; 0: not limited.
    pub discovery_per_minute: u32,
    /// The part that only changes may use, in percent.
    pub reserve_percent: u32,
    /// The part that is guaranteed to background work, in percent.
    pub background_percent: u32,
    /// The cooldown after a 429 without `Retry-After`.
    pub cooldown: Duration,
    /// How long a request waits for budget, if its deadline is later.
    pub wait: Duration,
}

impl Default for BudgetSettings {
    /// As in `config/default.toml`.
    fn default() -> Self {
        Self {
            admin_per_minute: 4800,
            discovery_per_minute: 480,
            reserve_percent: 10,
            background_percent: 10,
            cooldown: Duration::from_mins(5),
            wait: Duration::from_secs(30),
        }
    }
}

impl BudgetSettings {
    /// Whether no API is limited.
    pub fn is_off(&self) -> bool {
        self.admin_per_minute == 0 && self.discovery_per_minute == 0
    }

    /// The limits of that API; `None` if it has none.
    pub(super) fn limits(&self, api: ClientType) -> Option<BudgetLimits> {
        let per_minute = match api {
            ClientType::DbtCloudAdministrative | ClientType::DbtCloudSemanticLayer => self.admin_per_minute,
            ClientType::DbtCloudMetadata => self.discovery_per_minute,
        };
        (per_minute > 0).then(|| BudgetLimits::new(per_minute, self.reserve_percent, self.background_percent))
    }
}
