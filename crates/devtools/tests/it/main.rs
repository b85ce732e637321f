//! What `docs/architecture.md` says of the crates and of their modules, compared with the code; and the structure library.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod circles;
mod layers;
mod limits;
mod rooms;
mod structure;

use std::path::Path;

/// The root of the workspace.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
