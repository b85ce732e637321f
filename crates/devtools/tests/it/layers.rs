//! The layers: what each crate may import, by the table in `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

struct Layer {
    number: Option<u32>,
    imports: BTreeSet<String>,
    alone: BTreeSet<String>,
}

fn table() -> BTreeMap<String, Layer> {
    let page = include_str!("../../../../docs/architecture.md");
    let page = page.split("\n## ").next().unwrap();
    let quoted = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let mut layers: BTreeMap<_, _> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let name = quoted(cells[1]).pop_first().unwrap();
            (
                name,
                Layer {
                    number: cells[0].parse().ok(),
                    imports: quoted(cells[3]),
                    alone: quoted(cells[4]),
                },
            )
        })
        .collect();
    let all: BTreeSet<_> = layers
        .keys()
        .filter(|name| !["bench", "devtools", "gateway", "testkit"].contains(&name.as_str()))
        .cloned()
        .collect();
    layers.get_mut("gateway").unwrap().imports = all;
    layers
}

/// The normal dependencies of each crate of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let listed = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        all.iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(name)
            .collect()
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (name(package), normal(package)))
        .collect()
}

#[test]
fn every_crate_is_in_the_table_of_layers() {
    let (table, dependencies) = (table(), dependencies());
    assert_eq!(
        table.keys().collect::<Vec<_>>(),
        dependencies.keys().collect::<Vec<_>>()
    );
}

#[test]
fn crates_import_only_lower_layers_and_only_what_the_table_allows() {
    let (table, dependencies) = (table(), dependencies());
    for (name, uses) in &dependencies {
        let local: BTreeSet<_> = uses.iter().filter(|used| table.contains_key(*used)).cloned().collect();
        let allowed = &table[name].imports;
        assert!(
            local.is_subset(allowed),
            "{name} imports {local:?}, and may import {allowed:?}"
        );
        let below = local.iter().all(|used| match (table[name].number, table[used].number) {
            (Some(layer), Some(used)) => used < layer,
            _ => true,
        });
        assert!(below, "{name} imports {local:?}: not all of them are below it");
    }
}

#[test]
fn a_library_reserved_for_one_layer_is_a_dependency_of_no_other() {
    let (table, dependencies) = (table(), dependencies());
    for (owner, layer) in &table {
        for library in &layer.alone {
            let bound = |name: &str| table[name].number.is_some_and(|number| number <= 4);
            let users: Vec<_> = dependencies
                .iter()
                .filter(|(name, uses)| bound(name) && uses.contains(library))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(users, [owner], "{library}");
        }
    }
}

#[test]
fn unsafe_code_is_in_one_place() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let listed = Command::new("grep")
        .args([
            "-rnE",
            r"^\s*unsafe [{]|unsafe [f]n|unsafe [i]mpl",
            "--include=*.rs",
            root,
        ])
        .output()
        .unwrap();
    let places: Vec<_> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(places.len(), 1, "{places:?}");
    assert!(places[0].contains("embedded-postgres"), "{places:?}");
}
