//! Layer 1: which operation of dbt Cloud a request to one of its own routes is, and which role the operation needs.
//!
//! A request is parsed once, by [`RelayRequest::new`]; the documents of one to a GraphQL API are judged in `graphql`. Nothing
//! is sent here.

mod api;
mod graphql;
mod path;
mod request;
mod router;
mod table;

pub use api::DbtApi;
pub use graphql::{GraphqlLimits, GraphqlRequest, RefusedGraphql};
pub use path::{RefusedPath, RelayPath};
pub use request::{RelayRequest, RelayTarget};
pub use router::request_type_of;
pub use table::operations;
