//! Credentials: dbt Cloud tokens by name, each with its account and addresses. Tokens are stored encrypted.
//!
//! An account with credentials has exactly one default among them. Higher layers decide which addresses may be
//! contacted; this layer only refuses addresses that may contain a secret.

mod change;
mod encrypting_key;
mod read;
mod record;
mod rotation;
mod table;

pub use record::{Credential, CredentialChange, CredentialId, LoadedCredential, NewCredential, UnreadableCredential};
pub use rotation::RotationReport;
pub use table::Credentials;
