//! A stateful simulator of dbt Cloud: a triggered run is then listed, runs, ends, and can be cancelled or retried. On
//! request it is slow, breaks connections, or answers nonsense. For demos, tests and benchmarks. It shares no code with
//! the gateway, so that it cannot share its mistakes.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{Config, Fault, Simulator, acme};
//!
//! let dbt = Simulator::start(Config::frozen()).await?;
//! let _ = (dbt.base_url(), acme::ACCOUNT_ID, acme::TOKEN); // for a client of dbt Cloud
//! dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
//! dbt.advance(std::time::Duration::from_secs(60));
//! assert!(dbt.requests().is_empty());
//! dbt.shutdown().await;
//! # Ok(())
//! # }
//! ```

// `json!` recurses once for each field, and objects of dbt Cloud have up to sixty.
#![recursion_limit = "512"]

pub mod acme;
mod admission;
mod api;
mod artifacts;
mod call;
mod clock;
mod config;
mod connection;
mod control;
mod dispatch;
mod document;
mod fault_effects;
mod faults;
pub mod globex;
mod goaway;
mod graphql;
mod http2;
mod limiter;
mod listing;
mod query;
mod recorder;
mod refusal;
mod reply;
mod response;
mod running;
mod runs;
mod seed;
mod serve;
mod stamp;
mod state;
mod switches;
mod timing;
mod tls;
mod tls_listener;
mod webhook_delivery;
mod webhooks;
mod world;

pub use config::Config;
pub use faults::{Effect, Fault, FaultBody};
pub use limiter::{RateCount, RateLimit};
pub use recorder::RecordedRequest;
pub use running::{Running, Simulator, run};
pub use seed::{AccountPlan, Seed};
pub use switches::{
    CancelFinishedRun, DeleteAnswer, LimitOver100, LongCause, PartialJobUpdate, RateLimitBody, RefusedRetry,
    Strictness, Switches, WrongSlash,
};
pub use timing::RunTiming;
pub use world::{JobOutcome, JobScript};
