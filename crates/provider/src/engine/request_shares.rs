//! The shares of one request: its exchanges and the memory for its answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, CollectLimits, WrappedApi};
use model::{Effect, Held, Upstream};
use shares::{Exhausted, Owner, Share};

use crate::budget::{Paid, RequestBudget, is_scim};
use crate::shares::ProviderShares;

/// Below this, memory is given back before the answer is written.
const SMALL_BYTES: u64 = 64 << 10;

/// What one request uses. Given back when the request ends.
#[derive(Debug)]
pub(crate) struct RequestShares {
    shares: ProviderShares,
    owner: Owner,
    effect: Effect,
    memory: Mutex<Memory>,
    /// `None`: its exchanges are not limited.
    budget: Option<RequestBudget>,
}

#[derive(Debug, Default)]
struct Memory {
    share: Option<Share>,
    /// How much of the share is used.
    used: u64,
}

impl RequestShares {
    pub(crate) fn new(shares: ProviderShares, owner: Owner, effect: Effect) -> Self {
        Self {
            shares,
            owner,
            effect,
            memory: Mutex::default(),
            budget: None,
        }
    }

    /// The same, with each exchange paid for from that budget.
    pub(crate) fn paying(self, budget: Option<RequestBudget>) -> Self {
        Self { budget, ..self }
    }

    /// Reserves memory beyond what is used, all in one step, waiting for it.
    pub(crate) async fn reserve_bytes(&self, bytes: u64) -> Result<(), Exhausted> {
        let missing = self.memory().missing(bytes);
        if missing == 0 {
            return Ok(());
        }
        let more = self.shares.bytes.take(&self.owner, missing, self.shares.wait).await?;
        self.memory().add(more);
        Ok(())
    }

    /// Uses memory. What exceeds the reserved memory is taken without waiting: where the owner's share is used up, it is
    /// refused, unless dbt Cloud has made a change.
    fn use_bytes(&self, bytes: u64) -> Result<(), Exhausted> {
        let mut memory = self.memory();
        let missing = memory.missing(bytes);
        if missing > 0 {
            let more = match self.shares.bytes.try_take(&self.owner, missing) {
                Ok(more) => more,
                Err(_) if self.effect == Effect::Change => self.shares.bytes.take_beyond(&self.owner, missing),
                Err(exhausted) => return Err(exhausted),
            };
            memory.add(more);
        }
        memory.used += bytes;
        Ok(())
    }

    /// As [`Self::use_bytes`], for an answer that is passed on.
    pub(crate) fn keep_bytes(&self, bytes: usize) -> Result<(), ApiError> {
        let used = self.use_bytes(bytes as u64);
        used.map_err(|source| ApiError::ShareExhausted { status: None, source })
    }

    /// Frees used memory for other answers of this request.
    pub(crate) fn free_bytes(&self, bytes: u64) {
        let mut memory = self.memory();
        memory.used = memory.used.saturating_sub(bytes);
    }

    /// Keeps the memory of a large answer until it is written to the caller.
    pub(crate) fn hold_until_written(&self, held: &Held) {
        let share = self.memory().share.take();
        if let Some(share) = share.filter(|share| share.amount() >= SMALL_BYTES) {
            held.keep(share);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// What the share lacks for this many more bytes.
    fn missing(&self, bytes: u64) -> u64 {
        let held = self.share.as_ref().map_or(0, Share::amount);
        (self.used + bytes).saturating_sub(held)
    }

    fn add(&mut self, more: Share) {
        match &mut self.share {
            Some(share) => share.absorb(more),
            none => *none = Some(more),
        }
    }
}

/// The API for one request: each exchange waits for its budget and then for its share, which is held until the end of the
/// answer's body. What waits for budget holds no share, so that it keeps none from a change.
pub(crate) struct SharedApi {
    pub(crate) api: Arc<dyn WrappedApi>,
    pub(crate) shares: Arc<RequestShares>,
}

#[async_trait]
impl WrappedApi for SharedApi {
    async fn send(&self, to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        match &self.shares.budget {
            None => self.send_sharing(to, request, None).await,
            Some(budget) => {
                let paid = budget.pay(to, &request, &self.shares.owner).await?;
                self.send_sharing(to, request, Some((budget, paid))).await
            }
        }
    }

    fn limits(&self) -> CollectLimits {
        self.api.limits()
    }

    fn keep_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.shares.use_bytes(bytes as u64)
    }
}

impl SharedApi {
    async fn send_sharing(
        &self,
        to: &Upstream,
        request: ApiRequest,
        paid: Option<(&RequestBudget, Paid)>,
    ) -> Result<ApiAnswer, ApiError> {
        let RequestShares { shares, owner, .. } = &*self.shares;
        let host = Owner::host(to.base_url(request.api()).authority().into());
        let taken: Result<_, Exhausted> = async {
            let share = shares.exchanges.take(owner, 1, shares.wait).await?;
            Ok((share, shares.hosts.take(&host, 1, shares.wait).await?))
        }
        .await;
        let taken = taken.map_err(|source| ApiError::ShareExhausted { status: None, source })?;
        let Some((budget, mut paid)) = paid else {
            return Ok(self.api.send(to, request).await?.holding(taken));
        };
        if paid.is_late() {
            // The wait for the share was long.
            paid = budget.pay(to, &request, owner).await?;
        }
        let is_scim = is_scim(&request);
        let answer = self.api.send(to, request).await?;
        if !is_scim {
            // SCIM has a limit of its own: its 429 opens no cooldown.
            paid.saw(answer.status, answer.retry_after());
        }
        Ok(answer.holding(taken))
    }
}
