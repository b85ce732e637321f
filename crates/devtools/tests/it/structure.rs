//! The structure library on small crates.

use std::collections::BTreeSet;
use std::fs;

use devtools::structure::{CrateStructure, rooms_table};

/// Reads a crate named `example` with these files below `src`.
fn example(files: &[(&str, &str)]) -> CrateStructure {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("example");
    for (name, text) in files {
        let path = folder.join("src").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    CrateStructure::read(&folder).unwrap()
}

fn arrows(code: &CrateStructure) -> Vec<String> {
    let lines = code
        .arrows
        .iter()
        .map(|arrow| format!("{}:{} {}", arrow.from, arrow.line, arrow.to));
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn a_use_and_a_path_in_code_are_arrows_to_the_defining_file() {
    let code = example(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B;\n\nfn a(_: B) { crate::c::c(); }"),
        ("b.rs", "pub(crate) struct B;"),
        ("c.rs", "pub(crate) fn c() { super::b::B; }"),
    ]);
    assert_eq!(arrows(&code), ["a.rs:1 b.rs", "a.rs:3 c.rs", "c.rs:1 b.rs"]);
}

#[test]
fn a_path_through_an_imported_module_is_an_arrow_and_its_import_alone_is_none() {
    let code = example(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use crate::b;\nuse crate::b as other;\nfn a() { b::inner::f() }",
        ),
        ("b/mod.rs", "pub(crate) mod inner;"),
        ("b/inner.rs", "pub(crate) fn f() {}"),
    ]);
    assert_eq!(arrows(&code), ["a.rs:3 b/inner.rs"]);
}

#[test]
fn reexports_are_followed_through_names_and_globs() {
    let code = example(&[
        (
            "lib.rs",
            "mod a; mod b; pub use b::{First, Renamed}; pub use std::fmt::Debug;",
        ),
        (
            "a.rs",
            "use crate::First;\nuse crate::Renamed;\nuse crate::b::Third;\nuse crate::Debug;",
        ),
        (
            "b/mod.rs",
            "mod one; mod two; mod three; pub use one::First; pub use two::Second as Renamed; pub(crate) use three::*;",
        ),
        ("b/one.rs", "pub struct First;"),
        ("b/two.rs", "pub struct Second;"),
        ("b/three.rs", "pub struct Third;"),
    ]);
    assert_eq!(
        arrows(&code),
        ["a.rs:1 b/one.rs", "a.rs:2 b/two.rs", "a.rs:3 b/three.rs"]
    );
}

#[test]
fn a_parent_that_only_declares_its_children_has_no_arrow_and_one_that_uses_them_has() {
    let code = example(&[
        ("lib.rs", "mod declares; mod uses;"),
        ("declares.rs", "mod child;\npub use child::Child;"),
        ("declares/child.rs", "pub struct Child;"),
        ("uses.rs", "mod child;\npub use child::Child;\npub fn of(_: Child) {}"),
        ("uses/child.rs", "pub struct Child;"),
    ]);
    assert_eq!(arrows(&code), ["uses.rs:3 uses/child.rs"]);
}

#[test]
fn a_reexport_of_a_file_elsewhere_is_an_arrow() {
    let code = example(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b::B;"),
        ("b.rs", "pub struct B;"),
    ]);
    assert_eq!(arrows(&code), ["a.rs:1 b.rs"]);
}

#[test]
fn macros_are_arrows_and_so_are_the_paths_in_arguments_and_attributes() {
    let code = example(&[
        ("lib.rs", "mod makes; mod b; mod c; mod uses;"),
        (
            "makes.rs",
            "macro_rules! made { () => {} }\npub(crate) use made;\n#[macro_export]\nmacro_rules! exported { () => {} }",
        ),
        ("b.rs", "pub(crate) fn b() {}"),
        ("c.rs", "pub(crate) fn c() {}"),
        (
            "uses.rs",
            "crate::exported!();\nfn f() { println!(\"{:?}\", crate::b::b()); }\n#[serde(with = \"crate::c::c\")]\nstruct S { f: u8 }",
        ),
    ]);
    assert_eq!(
        arrows(&code),
        ["uses.rs:1 makes.rs", "uses.rs:2 b.rs", "uses.rs:3 c.rs"]
    );
}

#[test]
fn a_macro_defined_before_a_mod_line_is_an_arrow_to_the_parent() {
    let code = example(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "macro_rules! made { () => {} }\nmod child;"),
        ("a/child.rs", "made!();"),
    ]);
    assert_eq!(arrows(&code), ["a/child.rs:1 a/mod.rs"]);
}

#[test]
fn tests_comments_and_local_names_are_no_arrows() {
    let code = example(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "//! Of [`crate::b::B`].\n/// See [`crate::b::B`].\nfn a() { let b = 1; b.min(2); }\n\
             #[cfg(test)]\nfn helper() { crate::b::f(); }\n\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
        ),
        ("b.rs", "pub struct B;\npub fn f() {}\n#[cfg(test)]\nmod tests;\n"),
        ("b/tests.rs", "use crate::a;\n\nuse crate::a::helper;"),
    ]);
    assert_eq!(arrows(&code), Vec::<String>::new());
    assert_eq!((code.lines(), code.test_lines), (1 + 6 + 4, 4 + 3));
}

#[test]
fn a_program_beside_the_library_reaches_it_by_the_name_of_the_crate() {
    let code = example(&[
        ("lib.rs", "mod a; pub use a::A;"),
        ("a.rs", "pub struct A;"),
        ("main.rs", "mod own;\nuse example::A;\nfn main() { own::run() }"),
        ("own.rs", "pub(crate) fn run() {}"),
        ("bin/tool.rs", "use example::A;"),
    ]);
    assert_eq!(
        arrows(&code),
        ["bin/tool.rs:1 a.rs", "main.rs:2 a.rs", "main.rs:3 own.rs"]
    );
}

#[test]
fn circles_are_found_between_files_and_between_rooms() {
    let code = example(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub(crate) fn f() { crate::b::f() }"),
        ("b.rs", "pub(crate) fn f() { crate::c::one::f() }"),
        ("c/mod.rs", "pub(crate) mod one; pub(crate) mod two;"),
        ("c/one.rs", "pub(crate) fn f() { crate::a::f() }"),
        ("c/two.rs", "pub(crate) fn f() { crate::d::f() }"),
        ("d.rs", "pub(crate) fn f() { crate::c::one::f() }"),
    ]);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(code.circles(), BTreeSet::from([names(&["a.rs", "b.rs", "c/one.rs"])]));
    assert_eq!(code.room_circles(), BTreeSet::from([names(&["a", "b", "c", "d"])]));
}

#[test]
fn the_table_of_rooms_keeps_what_the_page_says_and_takes_the_rest_from_the_code() {
    let code = example(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "//! Makes A. And more.\n\nuse crate::b::B;"),
        ("b.rs", "//! Makes B.\n\npub struct B;"),
    ]);
    let page = "\n## Inside the crates\n\n### `example`\n\n| room | holds | may import |\n|---|---|---|\n| `b` | the letter B | – |\n";
    assert_eq!(
        rooms_table(&code, page),
        "| room | holds | may import |\n|---|---|---|\n| `a` | Makes A | `b` |\n| `b` | the letter B | – |\n"
    );
}
