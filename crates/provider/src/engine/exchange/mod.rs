//! One operation at dbt Cloud: shared with other requests where it may be, sent again where it may be, recorded.
//!
//! The order: shared reads and kept answers, retries, circuit breaker, shares, sending. What is shared costs its readers none
//! of the later ones.

mod attempts;
mod exchange_api;
mod record;
mod request_api;
mod sharing;

pub(super) use exchange_api::ExchangeApi;
pub(super) use request_api::{Asked, RequestApi};
