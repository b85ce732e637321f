//! The structure of crates as text: a table with one row per crate, then the circles and the arrows.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::crate_structure::CrateStructure;

/// How much a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The table alone.
    Totals,
    /// The table and the circles.
    Circles,
    /// The table, the circles and every arrow.
    Arrows,
}

/// Writes the report of some crates.
///
/// # Errors
/// Never: the text is in memory.
pub fn report(crates: &[CrateStructure], detail: Detail) -> Result<String, fmt::Error> {
    let mut text = String::new();
    table(&mut text, crates)?;
    if detail == Detail::Totals {
        return Ok(text);
    }
    for one in crates {
        for (what, circles) in [("files", one.circles()), ("rooms", one.room_circles())] {
            for circle in circles {
                let (name, length) = (&one.name, circle.len());
                writeln!(text, "\n{name}: circle of {length} {what}: {}", circle.join(", "))?;
            }
        }
        if detail == Detail::Arrows {
            writeln!(text)?;
            for arrow in &one.arrows {
                writeln!(text, "{}/src/{}:{} -> {}", one.name, arrow.from, arrow.line, arrow.to)?;
            }
        }
    }
    Ok(text)
}

fn table(text: &mut String, crates: &[CrateStructure]) -> fmt::Result {
    let heads = [
        "source lines",
        "test lines",
        "modules",
        "arrows",
        "circles of files",
        "files in circles",
        "rooms",
        "arrows between rooms",
        "circles of rooms",
        "rooms in circles",
    ];
    writeln!(text, "| crate | {} |", heads.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(heads.len()))?;
    let mut totals = [0; 10];
    for one in crates {
        let figures = figures(one);
        for (total, figure) in totals.iter_mut().zip(figures) {
            *total += figure;
        }
        row(text, &one.name, figures)?;
    }
    row(text, "total", totals)
}

fn row(text: &mut String, name: &str, figures: [usize; 10]) -> fmt::Result {
    write!(text, "| {name} |")?;
    for figure in figures {
        write!(text, " {figure} |")?;
    }
    writeln!(text)
}

fn figures(one: &CrateStructure) -> [usize; 10] {
    let (rooms, circles, room_circles) = (one.rooms(), one.circles(), one.room_circles());
    let members = |circles: &BTreeSet<Vec<String>>| circles.iter().map(Vec::len).sum();
    [
        one.lines(),
        one.test_lines,
        one.files.len(),
        one.arrows.len(),
        circles.len(),
        members(&circles),
        rooms.len(),
        rooms.values().map(BTreeSet::len).sum(),
        room_circles.len(),
        members(&room_circles),
    ]
}
