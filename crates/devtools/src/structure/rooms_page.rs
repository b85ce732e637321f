//! The tables of rooms in `docs/architecture.md`, section "Inside the crates": what each room holds and may import.

use std::collections::{BTreeMap, BTreeSet};

use super::crate_structure::CrateStructure;

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// What the room holds, in words.
    pub holds: String,
    /// The rooms it may import.
    pub may_import: BTreeSet<String>,
}

/// The tables of the page: by crate, then by room.
pub fn room_tables(page: &str) -> BTreeMap<String, BTreeMap<String, RoomRow>> {
    let section = page
        .split_once("\n## Inside the crates\n")
        .map_or("", |(_, after)| after);
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut tables: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    let mut krate = None;
    for line in section.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            krate = quoted(heading).pop_first();
        } else if let (Some(krate), Some((room, row))) = (&krate, row(line)) {
            tables.entry(krate.clone()).or_default().insert(room, row);
        }
    }
    tables
}

fn row(line: &str) -> Option<(String, RoomRow)> {
    let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
    let room = quoted(cells.next()?).pop_first()?;
    let holds = cells.next()?.to_owned();
    let may_import = quoted(cells.next()?);
    Some((room, RoomRow { holds, may_import }))
}

fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table of a crate as its code is now. Keeps what `page` says that a room holds; takes the first sentence of the
/// room's `//!` lines where the page does not list it.
pub fn rooms_table(code: &CrateStructure, page: &str) -> String {
    let known = room_tables(page).remove(&code.name).unwrap_or_default();
    let mut table = "| room | holds | may import |\n|---|---|---|\n".to_owned();
    for (room, imports) in code.rooms() {
        let holds = known.get(&room).map_or(code.room_summary(&room), |row| &row.holds);
        let imports: Vec<_> = imports.iter().map(|room| format!("`{room}`")).collect();
        let imports = if imports.is_empty() {
            "–".to_owned()
        } else {
            imports.join(", ")
        };
        table.extend(["| `", &room, "` | ", holds, " | ", &imports, " |\n"]);
    }
    table
}
