//! The budget from the view of one request: its class and its key.

use dbt_api::{ApiError, ApiRequest};
use model::{Effect, Surface, Upstream};
use shares::Owner;
use storage::PriorityClass;
use tokio::time::Instant;

use super::paid::Paid;
use super::rate_budget::RateBudget;

/// How one request pays for its exchanges.
#[derive(Debug)]
pub(crate) struct RequestBudget {
    budget: RateBudget,
    class: PriorityClass,
    deadline: Instant,
}

impl RequestBudget {
    /// All exchanges of a change, its reads included, have its class. None waits beyond `deadline`.
    pub(crate) fn new(budget: RateBudget, effect: Effect, surface: Surface, deadline: Instant) -> Self {
        let class = match (effect, surface) {
            (Effect::Change, _) => PriorityClass::Changes,
            (Effect::Read, Surface::Internal) => PriorityClass::Background,
            (Effect::Read, _) => PriorityClass::Reads,
        };
        Self {
            budget,
            class,
            deadline,
        }
    }

    /// Waits for the right to send this exchange.
    ///
    /// # Errors
    /// Those of [`RateBudget::take`].
    pub(crate) async fn pay(&self, to: &Upstream, request: &ApiRequest, owner: &Owner) -> Result<Paid, ApiError> {
        let (api, class) = (request.api(), self.class);
        self.budget.take(to, api, class, owner, self.deadline).await
    }
}

/// Whether the request is one of the SCIM API.
pub(crate) fn is_scim(request: &ApiRequest) -> bool {
    request.path().contains("/scim/")
}
