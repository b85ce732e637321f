//! A stateful double of dbt Cloud: what is triggered here is then listed, runs, ends, and can be cancelled or retried;
//! it can also be slow, cut off, or nonsensical when told to. For demos, tests and benchmarks. It shares no code with
//! the gateway, so that it cannot share the gateway's mistakes.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{Config, Fault, Simulator, acme};
//!
//! let dbt = Simulator::start(Config::frozen()).await?;
//! let _ = (dbt.base_url(), acme::ACCOUNT_ID, acme::TOKEN); // point a client there
//! dbt.add_fault(Fault::on("POST", "/api/v2/").once().reset_after());
//! dbt.advance(std::time::Duration::from_secs(60));
//! assert!(dbt.requests().is_empty());
//! dbt.shutdown().await;
//! # Ok(())
//! # }
//! ```

// The objects of dbt Cloud have up to sixty fields, each a level of `json!`.
#![recursion_limit = "512"]

pub mod acme;
mod api;
mod artifacts;
mod call;
mod clock;
mod config;
mod connection;
mod control;
mod edge;
mod faults;
pub mod globex;
mod graphql;
mod limiter;
mod listing;
mod logs;
mod query;
mod recorder;
mod reply;
mod routing;
mod running;
mod runs;
mod seed;
mod stamp;
mod state;
mod strike;
mod switches;
mod webhooks;
mod world;

pub use config::{Config, RateLimit, RunTiming};
pub use faults::{Effect, Fault, FaultBody};
pub use recorder::RecordedRequest;
pub use running::{Running, Simulator, run};
pub use seed::{AccountPlan, Seed};
pub use switches::{
    CancelFinishedRun, DeleteAnswer, LimitOver100, LongCause, PartialJobUpdate, RateLimitBody, RefusedRetry,
    Strictness, Switches, WrongSlash,
};
pub use world::{JobOutcome, JobScript};
