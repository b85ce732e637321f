//! Finds and parses the files of a crate, from its roots (`lib.rs`, `main.rs`, `bin/*.rs`) along the `mod` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta};

use super::references::{self, Import, Reference, is_test};

/// Why the sources of a crate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StructureError {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is not Rust.
    #[error("cannot parse {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: syn::Error,
    },
    /// A `mod` line has no file.
    #[error("no file for the module `{module}` of {}", parent.display())]
    NoModuleFile {
        /// The name in the `mod` line.
        module: String,
        /// The file with the `mod` line.
        parent: PathBuf,
    },
}

/// A parsed file.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) lines: usize,
    /// Lines under `#[cfg(test)]` modules.
    pub(super) test_lines: usize,
    /// The first sentence of the `//!` lines.
    pub(super) summary: String,
}

/// A module: a whole file, or an inline `mod name { … }`.
pub(super) struct Module {
    pub(super) file: usize,
    pub(super) root: usize,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    /// Those of the items that are `macro_rules!`.
    pub(super) macros: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) references: Vec<Reference>,
}

/// The modules of one crate.
pub(super) struct ModuleTree {
    /// The crate's name as paths spell it.
    pub(super) name: String,
    pub(super) files: Vec<File>,
    pub(super) modules: Vec<Module>,
    pub(super) library: Option<usize>,
    /// The modules with a `#[macro_export]` macro, by the macro's name.
    pub(super) exported_macros: BTreeMap<String, usize>,
}

impl ModuleTree {
    /// Reads the crate in a folder that has a `src`.
    pub(super) fn read(folder: &Path) -> Result<Self, StructureError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let mut tree = Self {
            name: name.replace('-', "_"),
            files: Vec::new(),
            modules: Vec::new(),
            library: None,
            exported_macros: BTreeMap::new(),
        };
        let source = folder.join("src");
        let library = source.join("lib.rs");
        if library.exists() {
            tree.library = Some(tree.add_file(library, &source, None)?);
        }
        let main = source.join("main.rs");
        if main.exists() {
            tree.add_file(main, &source, None)?;
        }
        let programs = source.join("bin");
        if programs.exists() {
            for program in rust_files(&programs)? {
                tree.add_file(program, &programs, None)?;
            }
        }
        Ok(tree)
    }

    /// `folder` is where the files of the module's children are.
    fn add_file(&mut self, path: PathBuf, folder: &Path, parent: Option<usize>) -> Result<usize, StructureError> {
        let text = read(&path)?;
        let parsed = syn::parse_file(&text).map_err(|source| StructureError::Parse {
            path: path.clone(),
            source,
        })?;
        let file = self.files.len();
        self.files.push(File {
            path,
            lines: text.lines().count(),
            test_lines: 0,
            summary: summary(&parsed.attrs),
        });
        let module = self.add_module(file, &parsed.items, folder, parent)?;
        self.modules[module]
            .references
            .extend(references::in_attributes(&parsed.attrs));
        Ok(module)
    }

    fn add_module(
        &mut self,
        file: usize,
        items: &[Item],
        folder: &Path,
        parent: Option<usize>,
    ) -> Result<usize, StructureError> {
        let module = self.modules.len();
        let found = references::in_items(items);
        self.modules.push(Module {
            file,
            root: parent.map_or(module, |parent| self.modules[parent].root),
            parent,
            children: BTreeMap::new(),
            items: items.iter().filter_map(name).collect(),
            macros: items
                .iter()
                .filter(|item| matches!(item, Item::Macro(_)))
                .filter_map(name)
                .collect(),
            imports: found.imports,
            references: found.references,
        });
        for item in items {
            match item {
                Item::Mod(child) if is_test(&child.attrs) => self.files[file].test_lines += inline_lines(child),
                Item::Mod(child) => self.add_child(module, child, folder)?,
                Item::Macro(made)
                    if made
                        .attrs
                        .iter()
                        .any(|attribute| attribute.path().is_ident("macro_export")) =>
                {
                    let name = made.ident.as_ref().map(ToString::to_string);
                    self.exported_macros.extend(name.map(|name| (name, module)));
                }
                _ => {}
            }
        }
        Ok(module)
    }

    fn add_child(&mut self, parent: usize, child: &ItemMod, folder: &Path) -> Result<(), StructureError> {
        let name = child.ident.to_string();
        let inside = folder.join(&name);
        let file = self.modules[parent].file;
        let module = if let Some((_, items)) = &child.content {
            self.add_module(file, items, &inside, Some(parent))?
        } else {
            let candidates = [folder.join(format!("{name}.rs")), inside.join("mod.rs")];
            let path = candidates.into_iter().find(|path| path.exists());
            let path = path.ok_or_else(|| StructureError::NoModuleFile {
                module: name.clone(),
                parent: self.files[file].path.clone(),
            })?;
            self.add_file(path, &inside, Some(parent))?
        };
        self.modules[parent].children.insert(name, module);
        Ok(())
    }
}

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, StructureError> {
    fs::read_to_string(path).map_err(|source| StructureError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The `.rs` files below a folder, sorted. None where there is no such folder.
pub(super) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, StructureError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// What a folder contains, sorted. Nothing where there is no such folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StructureError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()),
    };
    let mut paths = listed.map_err(|source| StructureError::Read {
        path: folder.to_owned(),
        source,
    })?;
    paths.sort();
    Ok(paths)
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// The lines of a module that is written inside its parent's file.
fn inline_lines(item: &ItemMod) -> usize {
    let first = item.attrs.first().map_or(item.span(), Spanned::span).start().line;
    item.content.as_ref().map_or(0, |_| item.span().end().line + 1 - first)
}

fn summary(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text), ..
            }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let paragraph = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    sentence.trim_end_matches('.').to_owned()
}
