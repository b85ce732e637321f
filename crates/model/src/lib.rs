//! Layer 0: dbt Cloud's nouns and ids, and what one request carries from layer to layer.
//!
//! Plain data only: no HTTP client, no database, no web framework. Every other layer imports this one.

// The examples of the larger nouns are long.
#![recursion_limit = "256"]

mod access_url;
mod accounts;
mod address;
mod artifacts;
mod caller;
mod clock;
mod comma_list;
mod context;
mod environments;
mod error_chain;
mod excerpt;
mod filter;
mod graphql;
mod ids;
mod jobs;
mod lenient;
pub mod metrics;
mod page;
mod projects;
mod raw_json;
mod relay;
mod request_type;
mod runs;
mod target;
mod timestamp;
mod trace_context;
mod upstream;

pub use access_url::*;
pub use accounts::*;
pub use address::*;
pub use artifacts::*;
pub use caller::*;
pub use clock::*;
pub use comma_list::{ListItem, comma_list};
pub use context::*;
pub use environments::*;
pub use error_chain::error_chain;
pub use excerpt::excerpt;
pub use filter::*;
pub use graphql::*;
pub use ids::*;
pub use jobs::*;
pub use page::*;
pub use projects::*;
pub use raw_json::RawJson;
pub use relay::*;
pub use request_type::*;
pub use runs::*;
pub use target::Target;
pub use timestamp::Timestamp;
pub use trace_context::*;
pub use upstream::*;
