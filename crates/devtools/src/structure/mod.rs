//! The modules of a crate and the arrows between them, read from the sources without compiling.
//!
//! A module is a source file. An arrow A → B means that file A names an item that file B defines: in a `use`, a path in
//! code, a macro's arguments or an attribute. Re-exports are followed to the defining file. A parent that only declares
//! or re-exports its children has no arrow to them. Items under `#[cfg(test)]` are left out. Method calls are not seen,
//! since the type of their receiver is unknown.

mod circles;
mod crate_structure;
mod module_tree;
mod references;
mod report;
mod resolve;
mod rooms_page;

pub use crate_structure::{Arrow, CrateStructure, SourceFile, read_workspace};
pub use module_tree::StructureError;
pub use report::{Detail, report};
pub use rooms_page::{RoomRow, room_tables, rooms_table};
