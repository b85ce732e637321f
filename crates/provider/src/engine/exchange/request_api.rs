//! What all exchanges of one request have in common.

use std::sync::{Arc, OnceLock};

use dbt_api::WrappedApi;
use model::{AccountId, ClientContext, Clock, CompanyId, Destination, Effect, RequestType, Surface};
use uuid::Uuid;

use crate::engine::fresh_connection::on_fresh_connection;
use crate::engine::request_shares::{RequestShares, SharedApi};
use crate::engine::time_limit::TimeLimit;
use crate::engine::trace_context::with_trace_context;
use crate::exchanges::{Exchanges, Why};
use crate::reads::SharedReads;
use crate::upstream_health::UpstreamHealth;
use crate::{DbtProvider, ProviderMetrics, RetrySettings};

/// What all exchanges of one request have in common.
pub(crate) struct RequestApi {
    pub(in crate::engine) api: Arc<dyn WrappedApi>,
    /// The same, for what dbt Cloud did not process.
    on_fresh_connection: OnceLock<Arc<dyn WrappedApi>>,
    pub(in crate::engine) retry: RetrySettings,
    pub(in crate::engine) clock: Arc<dyn Clock>,
    pub(in crate::engine) metrics: Arc<ProviderMetrics>,
    pub(in crate::engine) reads: Arc<SharedReads>,
    pub(in crate::engine) health: Arc<UpstreamHealth>,
    pub(in crate::engine) operation: RequestType,
    pub(in crate::engine) shares: Arc<RequestShares>,
    pub(in crate::engine) exchanges: Arc<Exchanges>,
    pub(in crate::engine) company: CompanyId,
    pub(in crate::engine) request_uuid: Uuid,
    /// Whether its reads may be answered by those of other requests. Not those of a change, which must see what is now.
    pub(in crate::engine) shares_reads: bool,
    /// Whether the caller wants no kept answer.
    pub(in crate::engine) wants_new: bool,
    /// How long the caller waits.
    pub(in crate::engine) time_limit: TimeLimit,
}

impl RequestApi {
    pub(in crate::engine) fn new<To: Destination>(
        provider: &DbtProvider,
        ctx: &ClientContext<To>,
        effect: Effect,
        exchanges: Arc<Exchanges>,
        shares: RequestShares,
    ) -> Self {
        let shares = Arc::new(shares);
        let stamp = ctx.stamp();
        Self {
            api: Arc::new(SharedApi {
                api: with_trace_context(&provider.api, stamp.trace.as_ref()),
                shares: Arc::clone(&shares),
            }),
            on_fresh_connection: OnceLock::new(),
            retry: provider.settings.retry,
            clock: Arc::clone(&provider.clock),
            metrics: Arc::clone(&provider.metrics),
            reads: Arc::clone(&provider.reads),
            health: Arc::clone(&provider.health),
            operation: ctx.request_type(),
            shares,
            exchanges,
            company: ctx.caller().company_id,
            request_uuid: stamp.request_uuid(),
            shares_reads: provider.reads.is_enabled() && effect == Effect::Read && stamp.surface != Surface::Internal,
            wants_new: stamp.wants_new,
            time_limit: TimeLimit::of_caller(stamp),
        }
    }

    pub(in crate::engine) fn api_for(&self, why: Why) -> &dyn WrappedApi {
        match why {
            Why::NotProcessed => &**self.on_fresh_connection.get_or_init(|| on_fresh_connection(&self.api)),
            _ => &*self.api,
        }
    }
}

/// What is asked, and for which reason.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Asked {
    /// Repeated in the record where the row spans several accounts.
    pub(in crate::engine) account: Option<AccountId>,
    pub(in crate::engine) operation: RequestType,
    pub(in crate::engine) why: Why,
    /// For a read: how much of its answer is read before any of it is passed on, so that one that breaks off there is read
    /// again. `None`: sent once.
    pub(in crate::engine) repeatable: Option<usize>,
}
