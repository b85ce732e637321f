//! All budgets of this process.

use std::fmt;
use std::sync::Arc;

use dbt_api::ApiError;
use model::{ClientType, Upstream};
use shares::Owner;
use storage::{PriorityClass, RateLedger};
use tokio::time::{Instant, timeout_at};

use super::buckets::{Inner, key};
use super::metrics::BudgetMetrics;
use super::paid::Paid;
use super::settings::BudgetSettings;
use super::{cooldowns, lessor};

/// The budgets of this process, one for each account and API that it uses. Cheap to clone.
#[derive(Clone)]
pub struct RateBudget(Arc<Inner>);

impl fmt::Debug for RateBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RateBudget {
    /// Budgets with slices from `ledger`.
    pub fn new(ledger: Arc<dyn RateLedger>, settings: BudgetSettings, metrics: BudgetMetrics) -> Self {
        Self(Arc::new(Inner::new(ledger, settings, metrics)))
    }

    /// Waits for the right to send one request, at most until `deadline`.
    ///
    /// # Errors
    /// [`ApiError::BudgetExhausted`], at once during a cooldown; [`ApiError::BudgetUnavailable`].
    pub async fn take(
        &self,
        to: &Upstream,
        api: ClientType,
        class: PriorityClass,
        owner: &Owner,
        deadline: Instant,
    ) -> Result<Paid, ApiError> {
        let Some(limits) = self.0.settings.limits(api) else {
            return Ok(Paid::default());
        };
        let start = Instant::now();
        let (bucket, starts_watch) = self.0.bucket(key(to, api), limits);
        if starts_watch {
            cooldowns::start_watch(&self.0);
        }
        let until = deadline.min(start + self.0.settings.wait);
        let granted = match bucket.take(class, owner, until) {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(mut waiting)) => {
                if waiting.starts_lessor {
                    lessor::start(Arc::clone(&self.0), Arc::clone(&bucket));
                }
                match timeout_at(until, &mut waiting.granted).await {
                    Ok(Ok(granted)) => granted,
                    Ok(Err(_)) | Err(_) => waiting.give_up(),
                }
            }
            Err(refusal) => Err(refusal),
        };
        self.0.metrics.took(api, class, start.elapsed(), granted.as_ref().err());
        match granted {
            Ok(token) => Ok(Paid::new(&self.0, bucket, token)),
            Err(refusal) => Err(refusal.into()),
        }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }
}
