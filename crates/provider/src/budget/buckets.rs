//! What the tasks and the requests of this process share: the store, the settings and the budgets in use.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{ClientType, Upstream};
use storage::{BudgetKey, BudgetLimits, RateLedger};

use super::bucket::Bucket;
use super::metrics::BudgetMetrics;
use super::settings::BudgetSettings;

pub(super) struct Inner {
    pub(super) ledger: Arc<dyn RateLedger>,
    pub(super) settings: BudgetSettings,
    pub(super) metrics: BudgetMetrics,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    all: HashMap<BudgetKey, Arc<Bucket>>,
    is_watched: bool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateBudget")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn new(ledger: Arc<dyn RateLedger>, settings: BudgetSettings, metrics: BudgetMetrics) -> Self {
        Self {
            ledger,
            settings,
            metrics,
            buckets: Mutex::default(),
        }
    }

    /// The budget, and whether the caller has to start the watch for cooldowns.
    pub(super) fn bucket(&self, key: BudgetKey, limits: BudgetLimits) -> (Arc<Bucket>, bool) {
        let mut buckets = self.buckets();
        if let Some(bucket) = buckets.all.get(&key) {
            return (Arc::clone(bucket), false);
        }
        let bucket = Arc::new(Bucket::new(key.clone(), limits));
        buckets.all.insert(key, Arc::clone(&bucket));
        let was_watched = std::mem::replace(&mut buckets.is_watched, true);
        (bucket, !was_watched)
    }

    pub(super) fn known(&self, key: &BudgetKey) -> Option<Arc<Bucket>> {
        self.buckets().all.get(key).map(Arc::clone)
    }

    /// Forgets budgets that are not used. `false` if none is left, and then nothing watches any more.
    pub(super) fn forget_unused(&self, idle: Duration) -> bool {
        let mut buckets = self.buckets();
        buckets.all.retain(|_, bucket| !bucket.is_idle(idle));
        buckets.is_watched = !buckets.all.is_empty();
        let all: Vec<_> = buckets.all.values().map(Arc::clone).collect();
        let is_watched = buckets.is_watched;
        drop(buckets);
        self.metrics
            .set_waiting(&all.iter().map(|bucket| bucket.waiting()).collect::<Vec<_>>());
        is_watched
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every API of an account is known by the address of its Administrative API.
pub(super) fn key(to: &Upstream, api: ClientType) -> BudgetKey {
    let url = &to.admin_url;
    let host = url.host_str().unwrap_or_default();
    BudgetKey {
        host: url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
        account: to.account_id,
        api,
    }
}
