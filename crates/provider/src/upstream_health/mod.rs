//! What recent exchanges say about dbt Cloud: a circuit breaker for each credential, a budget of retries for each host.

mod breaker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{AccountId, ClientType, CompanyId, Upstream};
use moka::sync::Cache;
use tower::retry::budget::{Budget as _, TpsBudget};

pub use breaker::CircuitState;
pub(crate) use breaker::{Breaker, Verdict};

use crate::reads::CredentialKey;
use crate::{BreakerSettings, RetrySettings};

/// The number of circuits and of hosts that are known.
const MAX_KNOWN: u64 = 10_000;
/// One that no request uses for so long is forgotten.
const IDLE: Duration = Duration::from_mins(10);
/// What counts as recent for the budget of retries.
const RETRY_WINDOW: Duration = Duration::from_secs(10);

/// A credential at one of dbt Cloud's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CircuitKey {
    credential: CredentialKey,
    api: ClientType,
}

/// A circuit with its names.
#[derive(Debug)]
pub(crate) struct Circuit {
    company: CompanyId,
    account: AccountId,
    credential: String,
    api: ClientType,
    pub(crate) breaker: Breaker,
}

/// The state of a circuit that is not closed.
#[derive(Debug, Clone)]
pub struct OpenCircuit {
    /// The credential's name.
    pub credential: String,
    /// The API.
    pub api: ClientType,
    /// `open` or `half_open`.
    pub state: CircuitState,
    /// How long no exchange is sent.
    pub left: Duration,
}

/// The circuits of all companies at one API that are not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotClosed {
    /// The API.
    pub api: ClientType,
    /// How many.
    pub circuits: usize,
    /// The longest time that one of them sends nothing.
    pub longest: Duration,
}

/// The circuits and the budgets of retries of this process.
pub(crate) struct UpstreamHealth {
    settings: BreakerSettings,
    retry: RetrySettings,
    circuits: Cache<CircuitKey, Arc<Circuit>>,
    retries: Cache<String, Arc<TpsBudget>>,
}

impl fmt::Debug for UpstreamHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamHealth").finish_non_exhaustive()
    }
}

impl UpstreamHealth {
    pub(crate) fn new(settings: BreakerSettings, retry: RetrySettings) -> Self {
        Self {
            settings,
            retry,
            circuits: Cache::builder().max_capacity(MAX_KNOWN).time_to_idle(IDLE).build(),
            retries: Cache::builder().max_capacity(MAX_KNOWN).time_to_idle(IDLE).build(),
        }
    }

    /// Whether there are circuits.
    pub(crate) fn has_circuits(&self) -> bool {
        self.settings.min_exchanges > 0
    }

    /// The circuit of a credential at an API.
    pub(crate) fn circuit(
        &self,
        credential: CredentialKey,
        company: CompanyId,
        to: &Upstream,
        api: ClientType,
    ) -> Arc<Circuit> {
        let new = || {
            Arc::new(Circuit {
                company,
                account: to.account_id,
                credential: to.name.clone(),
                api,
                breaker: Breaker::new(self.settings),
            })
        };
        self.circuits.get_with(CircuitKey { credential, api }, new)
    }

    /// The circuits of a company at an account that are not closed.
    pub(crate) fn open_circuits(&self, company: CompanyId, account: AccountId) -> Vec<OpenCircuit> {
        let all = self.circuits.iter().map(|(_, circuit)| circuit);
        all.filter(|circuit| circuit.company == company && circuit.account == account)
            .filter_map(|circuit| {
                let (state, left) = circuit.breaker.seen();
                (state != CircuitState::Closed).then(|| OpenCircuit {
                    credential: circuit.credential.clone(),
                    api: circuit.api,
                    state,
                    left,
                })
            })
            .collect()
    }

    /// The circuits of all companies that are not closed, by API.
    pub(crate) fn not_closed(&self) -> Vec<NotClosed> {
        let all = ClientType::ALL.into_iter().map(|api| {
            let of_api = self.circuits.iter().filter(|(key, _)| key.api == api);
            let seen = of_api.map(|(_, circuit)| circuit.breaker.seen());
            let left: Vec<Duration> = seen
                .filter(|(state, _)| *state != CircuitState::Closed)
                .map(|(_, left)| left)
                .collect();
            NotClosed {
                api,
                circuits: left.len(),
                longest: left.into_iter().max().unwrap_or_default(),
            }
        });
        all.filter(|of_api| of_api.circuits > 0).collect()
    }

    /// The budget of retries of a host: each request adds to it, each retry takes from it.
    pub(crate) fn retries(&self, to: &Upstream, api: ClientType) -> RetryBudget {
        let host = to.base_url(api).authority();
        let new = || {
            Arc::new(TpsBudget::new(
                RETRY_WINDOW,
                self.retry.min_retries_per_sec,
                f32::from(self.retry.budget_percent) / 100.0,
            ))
        };
        RetryBudget(match self.retries.get(host) {
            Some(known) => known,
            None => self.retries.get_with(host.to_owned(), new),
        })
    }
}

/// The budget of retries of one host.
pub(crate) struct RetryBudget(Arc<TpsBudget>);

impl RetryBudget {
    /// Counts a request, for which a part of a retry is added.
    pub(crate) fn add(&self) {
        self.0.deposit();
    }

    /// Takes a retry, if one is left.
    pub(crate) fn take(&self) -> bool {
        self.0.withdraw()
    }
}
