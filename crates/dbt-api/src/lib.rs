//! Floor 1: dbt Cloud's API as Rust functions, one HTTP exchange each.
//!
//! The trait [`WrappedApi`] is the seam that tests and later floors replace; [`DbtWrappedApi`] is its HTTP form and
//! the only place that knows `reqwest`. Each resource has a file of its own. No retries, no logging of failures, no
//! paging here: `provider` does all three.

mod accounts;
mod artifacts;
mod collect;
mod environments;
mod error;
mod graphql;
mod guard;
mod http;
mod jobs;
mod message;
mod projects;
mod redirect;
mod response;
mod retry_after;
mod runs;
mod wrapped_api;

pub use collect::joined;
pub use error::{ApiError, BoxError};
pub use http::{BuildError, DbtWrappedApi, HttpSettings};
pub use redirect::Redirect;
pub use response::ApiResponse;
pub use wrapped_api::{ApiAnswer, ApiBody, ApiRequest, CollectLimits, WrappedApi};
