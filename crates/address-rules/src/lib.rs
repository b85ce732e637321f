//! Layer 0: which addresses are public, and at which hosts the APIs of an account are. Nothing is looked up here.

mod api_hosts;
mod public;

pub use api_hosts::{metadata_url, semantic_layer_url};
pub use public::{is_evidently_private, is_loopback, is_public_address};
