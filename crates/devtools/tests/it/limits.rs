//! `docs/limits.md` says what the code shares.

use std::fs;
use std::path::Path;

#[test]
fn the_table_of_shared_resources_is_that_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/limits.md")).unwrap();
    let table = devtools::limits::table(&root).unwrap();
    assert!(
        page.contains(&table),
        "docs/limits.md lacks the table of `cargo run --package devtools -- limits`:\n{table}"
    );
}
