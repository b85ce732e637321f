//! Encryption of secrets: the ring of encryption keys, and the text form of an encrypted secret.
//!
//! XChaCha20-Poly1305: its nonces are long enough to be random. No SQL here. Called by `credentials`, and by `gateway`,
//! which reads the keys.

mod current_keys;
mod encryption;
mod key_ring;

pub use current_keys::CurrentKeys;
pub use encryption::DecryptError;
pub use key_ring::{KeyRing, KeyRingError};
