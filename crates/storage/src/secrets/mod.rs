//! Secrets at rest: the ring of encryption keys, and the text that a sealed secret is stored as.
//!
//! XChaCha20-Poly1305: its nonces are long enough to be drawn at random. No SQL here, and no word of what is sealed:
//! `credentials` says which row a secret belongs to. Called by `credentials`, and by `gateway`, which reads the keys.

mod key_ring;
mod sealed;

pub use key_ring::{KeyRing, KeyRingError};
pub use sealed::DecryptError;
