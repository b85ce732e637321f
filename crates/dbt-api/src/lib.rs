//! Layer 1: dbt Cloud's API as Rust functions, one HTTP exchange each.
//!
//! The trait [`WrappedApi`] is what tests replace; [`DbtWrappedApi`] implements it with `reqwest`. One file per resource.
//! Retries, logging and paging are in `provider`.

mod accounts;
mod artifacts;
mod collect;
mod connections;
mod dns;
mod envelope;
mod environment_variables;
mod environments;
mod error;
mod exchange_error;
mod graphql;
mod guard;
mod http;
mod http_settings;
mod jobs;
mod large;
mod message;
mod projects;
mod redirect;
mod request_url;
mod response;
mod retry_after;
mod runs;
mod shards;
mod tls;
mod wrapped_api;

pub use collect::{beginning_of_error, joined};
pub use error::{ApiError, Cause, Gap, Shortage};
pub use http::DbtWrappedApi;
pub use http_settings::{BuildError, DnsSettings, HttpSettings};
pub use large::{LARGE_BODY_BYTES, work_on_body};
pub use redirect::Redirect;
pub use response::ApiResponse;
pub use wrapped_api::{ApiAnswer, ApiBody, ApiRequest, CollectLimits, WrappedApi};
