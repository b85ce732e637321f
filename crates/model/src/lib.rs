//! Floor 0: dbt Cloud's nouns and ids, and what one request carries from floor to floor.
//!
//! Plain data only. No HTTP client, no database, no web framework: every other floor imports this one.

mod access_url;
mod account;
mod address;
mod artifact;
mod caller;
mod causes;
mod clock;
mod context;
mod environment;
mod graphql;
mod ids;
mod job;
mod lenient;
pub mod metrics;
mod node_results;
mod page;
mod project;
mod relay;
mod request_type;
mod retry;
mod run;
mod run_failure;
mod run_list;
mod run_step;
mod state_filter;
mod target;
mod timestamp;
mod trace_context;
mod trigger;
mod upstream;
mod verbatim;

pub use access_url::{is_loopback, metadata_url, semantic_layer_url};
pub use account::Account;
pub use address::{is_evidently_private, is_public_address};
pub use artifact::{ArtifactPath, ArtifactStep, InvalidArtifactPath, InvalidArtifactStep};
pub use caller::{Caller, Role, UnknownRole};
pub use causes::error_chain;
pub use clock::{Clock, FixedClock, SystemClock};
pub use context::{CallerRequestId, ClientContext, Destination, EachAccount, Surface, RequestStamp};
pub use environment::{Environment, EnvironmentFilter};
pub use graphql::{Column, GraphqlQuery, GroupBy, OrderBy, SemanticQuery, Table};
pub use ids::{AccountId, ApiKeyId, CompanyId, EnvironmentId, InstanceId, JobId, ProjectId, RunId};
pub use job::{
    Job, JobExecution, JobFields, JobFilter, JobRelated, JobSchedule, JobScheduleDate, JobScheduleTime, JobSettings,
    JobTriggers,
};
pub use node_results::{FreshnessCriteria, FreshnessLimit, NodeResult, NodeResults, ResultsFile, ResultsMetadata};
pub use page::{DBT_PAGE_LIMIT, Listed, Page, PageQuery, Slice};
pub use project::{Project, ProjectFilter};
pub use relay::{DbtApi, RefusedPath, RelayPath, RelayRequest, RelayTarget, RelayedOperation};
pub use request_type::{ClientType, Effect, Forwarded, RequestType};
pub use retry::{RetryPlan, RetryPreview};
pub use run::{Run, RunStatus};
pub use run_failure::{Excerpt, FailedNode, FailedNodes, NotAvailable, RunFailure, Verdict};
pub use run_list::{Period, RunFilter, RunOrder, RunRelated};
pub use run_step::{RunStep, RunStepCommand, RunStepInvocation};
pub use state_filter::StateFilter;
pub use target::Target;
pub use timestamp::Timestamp;
pub use trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
pub use trigger::{CAUSE_MAX_CHARS, TriggerJob};
pub use upstream::{Upstream, UpstreamSource};
pub use verbatim::RawJson;
