//! Layer 0: dbt Cloud's nouns and ids, and the context of one request. Every other layer imports this one.
//!
//! Plain data only: no router, no address rules, no metrics, no I/O.

// The examples of the larger nouns are long.
#![recursion_limit = "256"]

mod accounts;
mod artifacts;
mod caller;
mod clock;
mod comma_list;
mod connections;
mod context;
mod effect;
mod environment_variables;
mod environments;
mod error_chain;
mod excerpt;
mod filter;
mod graphql;
mod held;
mod ids;
mod jobs;
mod lenient;
mod page;
mod projects;
mod raw_json;
mod relayed_operation;
mod request_type;
mod runs;
mod served;
mod starts;
mod target;
mod timestamp;
mod trace_context;
mod upstream;

pub use accounts::*;
pub use artifacts::*;
pub use caller::*;
pub use clock::*;
pub use comma_list::{ListItem, comma_list};
pub use connections::*;
pub use context::*;
pub use effect::Effect;
pub use environment_variables::*;
pub use environments::*;
pub use error_chain::error_chain;
pub use excerpt::excerpt;
pub use filter::*;
pub use graphql::*;
pub use held::Held;
pub use ids::*;
pub use jobs::*;
pub use page::*;
pub use projects::*;
pub use raw_json::RawJson;
pub use relayed_operation::{OperationRow, RelayedOperation};
pub use request_type::*;
pub use runs::*;
pub use served::{Served, ServedFrom, Source};
pub use starts::*;
pub use target::Target;
pub use timestamp::Timestamp;
pub use trace_context::*;
pub use upstream::*;
