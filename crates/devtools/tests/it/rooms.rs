//! The rooms of a crate (the files and folders directly below `src`) import each other as the tables in
//! `docs/architecture.md`, section "Inside the crates", allow.

use std::collections::{BTreeMap, BTreeSet};

use devtools::structure::{CrateStructure, RoomRow, room_tables};

use crate::workspace;

const CRATES: [&str; 3] = ["provider", "server", "storage"];

fn tables() -> BTreeMap<String, BTreeMap<String, RoomRow>> {
    room_tables(include_str!("../../../../docs/architecture.md"))
}

fn rooms(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    CrateStructure::read(&workspace().join("crates").join(name))
        .unwrap()
        .rooms()
}

#[test]
fn three_crates_have_a_table_of_rooms() {
    assert_eq!(tables().into_keys().collect::<Vec<_>>(), CRATES);
}

#[test]
fn every_room_is_in_the_table_and_every_room_of_the_table_exists() {
    let tables = tables();
    for name in CRATES {
        let listed: BTreeSet<_> = tables[name].keys().cloned().collect();
        let existing: BTreeSet<_> = rooms(name).into_keys().collect();
        let unlisted: Vec<_> = existing.difference(&listed).collect();
        let gone: Vec<_> = listed.difference(&existing).collect();
        let renew = format!("`./dev structure --table {name}` prints the table");
        assert!(unlisted.is_empty(), "{name}: not in the table: {unlisted:?}; {renew}");
        assert!(gone.is_empty(), "{name}: only in the table: {gone:?}; {renew}");
    }
}

#[test]
fn every_room_says_what_it_holds() {
    for (name, table) in tables() {
        for (room, row) in table {
            assert!(!row.holds.is_empty(), "{name}: {room}");
        }
    }
}

#[test]
fn rooms_import_what_the_table_allows_and_the_table_allows_nothing_else() {
    let tables = tables();
    for name in CRATES {
        for (room, imports) in rooms(name) {
            let allowed = tables[name]
                .get(&room)
                .map(|row| row.may_import.clone())
                .unwrap_or_default();
            let forbidden: Vec<_> = imports.difference(&allowed).collect();
            let unused: Vec<_> = allowed.difference(&imports).collect();
            let find = format!("`./dev structure --crate {name} --arrows` prints the lines");
            assert!(
                forbidden.is_empty(),
                "{name}: {room} may not import {forbidden:?}; {find}"
            );
            assert!(
                unused.is_empty(),
                "{name}: {room} does not import {unused:?}, which the table allows"
            );
        }
    }
}
