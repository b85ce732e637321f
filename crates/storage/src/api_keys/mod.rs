//! API keys of callers: created, stored as hashes, looked up by hash, listed and revoked.
//!
//! Every statement is limited to the given company; what a caller may do is decided in higher layers.

mod create;
mod find;
mod key;
mod manage;
mod table;

pub use create::{CreateKey, NewKey};
pub use find::KeyRecord;
pub use key::KeyHash;
pub use manage::{ApiKeyInfo, Revocation};
pub use table::ApiKeys;
