//! The relay's knowledge of dbt Cloud's HTTP surface: which paths may be sent, which operation a request is, and who may
//! ask for it. Pure data and decisions; nothing is sent here.

mod operation;
mod path;
mod request;
mod table;

pub use operation::RelayedOperation;
pub use path::{RefusedPath, RelayPath};
pub use request::{DbtApi, RelayRequest, RelayTarget};
