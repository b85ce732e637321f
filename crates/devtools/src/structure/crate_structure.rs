//! What is known of one crate: its files, the arrows between them, the circles they form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::circles::circles;
use super::module_tree::{self, ModuleTree, StructureError};
use super::resolve::Target;

/// The structure of one crate.
#[derive(Debug, Clone)]
pub struct CrateStructure {
    /// The name of its folder.
    pub name: String,
    /// The files that are compiled without tests, sorted by name.
    pub files: Vec<SourceFile>,
    /// Sorted by name of the file at the start, then at the end.
    pub arrows: Vec<Arrow>,
    /// Lines of tests: `#[cfg(test)]` modules and files, and everything below `tests` and `benches`.
    pub test_lines: usize,
}

/// One module: a file below `src`.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path below `src`.
    pub name: String,
    /// Its lines outside `#[cfg(test)]` modules.
    pub lines: usize,
    /// The first sentence of its `//!` lines.
    pub summary: String,
}

/// One file names what another defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The file that names it.
    pub from: String,
    /// The file that defines it.
    pub to: String,
    /// The first line that names it.
    pub line: usize,
}

/// The crates below `crates` of a workspace, by name.
///
/// # Errors
/// When a source file cannot be read or parsed.
pub fn read_workspace(root: &Path) -> Result<Vec<CrateStructure>, StructureError> {
    let folders = module_tree::entries(&root.join("crates"))?;
    let crates = folders.iter().filter(|folder| folder.join("Cargo.toml").exists());
    crates.map(|folder| CrateStructure::read(folder)).collect()
}

impl CrateStructure {
    /// Reads the crate in a folder that has a `src`.
    ///
    /// # Errors
    /// When a source file cannot be read or parsed.
    pub fn read(folder: &Path) -> Result<Self, StructureError> {
        let tree = ModuleTree::read(folder)?;
        let source = folder.join("src");
        let below_source = |path: &Path| path.strip_prefix(&source).unwrap_or(path).display().to_string();
        let names: Vec<_> = tree.files.iter().map(|file| below_source(&file.path)).collect();

        let mut test_lines: usize = tree.files.iter().map(|file| file.test_lines).sum();
        for tests in [source.clone(), folder.join("tests"), folder.join("benches")] {
            for path in module_tree::rust_files(&tests)? {
                if tree.files.iter().all(|file| file.path != path) {
                    test_lines += module_tree::read(&path)?.lines().count();
                }
            }
        }

        let mut files: Vec<_> = tree
            .files
            .iter()
            .zip(&names)
            .map(|(file, name)| SourceFile {
                name: name.clone(),
                lines: file.lines - file.test_lines,
                summary: file.summary.clone(),
            })
            .collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let mut arrows: Vec<_> = arrows(&tree)
            .into_iter()
            .map(|((from, to), line)| Arrow {
                from: names[from].clone(),
                to: names[to].clone(),
                line,
            })
            .collect();
        arrows.sort();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            name,
            files,
            arrows,
            test_lines,
        })
    }

    /// The lines of all files, without tests.
    pub fn lines(&self) -> usize {
        self.files.iter().map(|file| file.lines).sum()
    }

    /// The groups of files that all reach each other along arrows.
    pub fn circles(&self) -> BTreeSet<Vec<String>> {
        let mut arrows: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for Arrow { from, to, .. } in &self.arrows {
            arrows.entry(from.clone()).or_default().insert(to.clone());
        }
        circles(&arrows)
    }

    /// The rooms with the rooms that each imports. A room is a file or folder directly below `src`. A root file
    /// (`lib.rs`, `main.rs`) is one where it has an arrow.
    pub fn rooms(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut rooms: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for file in &self.files {
            if !is_root(&file.name) {
                rooms.entry(room(&file.name)).or_default();
            }
        }
        for Arrow { from, to, .. } in &self.arrows {
            let (from, to) = (room(from), room(to));
            rooms.entry(to.clone()).or_default();
            let imports = rooms.entry(from.clone()).or_default();
            if from != to {
                imports.insert(to);
            }
        }
        rooms
    }

    /// The groups of rooms that all reach each other along arrows.
    pub fn room_circles(&self) -> BTreeSet<Vec<String>> {
        circles(&self.rooms())
    }

    /// The first sentence of a room's `//!` lines.
    pub(super) fn room_summary(&self, name: &str) -> &str {
        let candidates = [name.to_owned(), format!("{name}.rs"), format!("{name}/mod.rs")];
        let file = self.files.iter().find(|file| candidates.contains(&file.name));
        file.map_or("", |file| &file.summary)
    }
}

fn is_root(file: &str) -> bool {
    ["lib.rs", "main.rs"].contains(&file)
}

fn room(file: &str) -> String {
    let first = file.split('/').next().unwrap_or(file);
    if is_root(first) {
        first
    } else {
        first.trim_end_matches(".rs")
    }
    .to_owned()
}

/// The pairs of files with an arrow, and the first line that makes it.
fn arrows(tree: &ModuleTree) -> BTreeMap<(usize, usize), usize> {
    let mut arrows = BTreeMap::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let mut add = |path: &[String], line: usize, is_reexport: bool| {
            let Target::ItemOf(defining) = tree.resolve(at, path) else {
                return;
            };
            let (from, to) = (module.file, tree.modules[defining].file);
            if from == to || is_reexport && is_inside(tree, defining, at) {
                return;
            }
            let first = arrows.entry((from, to)).or_insert(line);
            *first = line.min(*first);
        };
        for import in module.imports.iter().filter(|import| !import.is_glob) {
            add(&import.path, import.line, import.is_reexport);
        }
        for reference in &module.references {
            add(&reference.path, reference.line, false);
        }
    }
    arrows
}

fn is_inside(tree: &ModuleTree, mut module: usize, outer: usize) -> bool {
    while let Some(parent) = tree.modules[module].parent {
        if parent == outer {
            return true;
        }
        module = parent;
    }
    false
}
