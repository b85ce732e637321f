//! Layer 1: which operation of dbt Cloud a request to one of its own routes is, and which role the operation needs.
//!
//! A request is parsed once, by [`RelayRequest::new`]. Nothing is sent here.

mod path;
mod request;
mod router;
mod table;

pub use path::{RefusedPath, RelayPath};
pub use request::{DbtApi, RelayRequest, RelayTarget};
pub use router::request_type_of;
pub use table::operations;
