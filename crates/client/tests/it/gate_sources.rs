//! In the sources of all crates only the gate admits a request. Clippy checks the same.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file of every crate's `src`.
fn sources() -> Vec<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> = fs::read_dir(crates)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .filter(|src| src.is_dir())
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// Whether the text names a function `admitted` of a type that is not the request log's.
fn admits(text: &str) -> bool {
    text.match_indices("::admitted")
        .any(|(at, _)| !text[..at].ends_with("FixedColumns"))
}

#[test]
fn only_the_gate_admits_a_request() {
    let files = sources();
    assert!(files.len() > 50, "the search looks in the wrong place: {files:?}");
    let mut admitting: Vec<_> = files
        .iter()
        .filter(|path| admits(&fs::read_to_string(path).unwrap()))
        .map(|path| path.iter().rev().take(3).collect::<Vec<_>>())
        .collect();
    admitting.dedup();
    assert_eq!(admitting, [["gate.rs", "src", "client"]]);
}

#[test]
fn the_search_finds_an_alias() {
    assert!(admits("use model::ClientContext as Ctx; Ctx::admitted(stamp)"));
    assert!(admits("let make = ClientContext::admitted;"));
    assert!(!admits("FixedColumns::admitted(&ctx)"));
}
