//! Finds the module that defines what a path names.

use super::module_tree::{Module, ModuleTree};

/// What a path names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Module(usize),
    /// An item, by the module that defines it.
    ItemOf(usize),
    /// Another crate's, or a local variable, a type parameter or a name of the prelude.
    External,
}

impl ModuleTree {
    /// What a path means in a module.
    pub(super) fn resolve(&self, module: usize, path: &[String]) -> Target {
        self.resolve_unseen(module, path, &mut Vec::new())
    }

    /// `seen` holds the names under resolution: globs and re-exports may refer to each other.
    fn resolve_unseen(&self, module: usize, path: &[String], seen: &mut Vec<(usize, String)>) -> Target {
        let Some((first, mut rest)) = path.split_first() else {
            return Target::External;
        };
        let start = match first.as_str() {
            "crate" => Target::Module(self.modules[module].root),
            "self" => Target::Module(module),
            "super" => self.modules[module].parent.map_or(Target::External, Target::Module),
            name => self
                .look_up(module, name, rest.is_empty(), seen)
                .unwrap_or_else(|| self.outside(module, name)),
        };
        let mut found = start;
        while let (Target::Module(current), Some((name, later))) = (found, rest.split_first()) {
            found = if name == "super" {
                self.modules[current].parent.map_or(Target::External, Target::Module)
            } else {
                // A name that is not found is made by a macro of the module.
                self.look_up(current, name, later.is_empty(), seen)
                    .unwrap_or(Target::ItemOf(current))
            };
            rest = later;
        }
        found
    }

    /// A name that a module neither defines nor imports: the library, named by a program beside it, or a macro defined
    /// before a parent's `mod` line.
    fn outside(&self, module: usize, name: &str) -> Target {
        if let Some(library) = self.library
            && name == self.name
            && self.modules[module].root != library
        {
            return Target::Module(library);
        }
        let mut parent = self.modules[module].parent;
        while let Some(current) = parent {
            if self.modules[current].macros.contains(name) {
                return Target::ItemOf(current);
            }
            parent = self.modules[current].parent;
        }
        Target::External
    }

    /// A name of a module. As the last name of a path an item goes before a module of the same name.
    fn look_up(&self, at: usize, name: &str, is_last: bool, seen: &mut Vec<(usize, String)>) -> Option<Target> {
        let module = &self.modules[at];
        let child = module.children.get(name).map(|child| Target::Module(*child));
        if module.items.contains(name) && (is_last || child.is_none()) {
            return Some(Target::ItemOf(at));
        }
        if child.is_some() {
            return child;
        }
        let key = (at, name.to_owned());
        if seen.contains(&key) {
            return None;
        }
        seen.push(key);
        let found = self.look_up_imported(at, module, name, is_last, seen);
        seen.pop();
        found
    }

    fn look_up_imported(
        &self,
        at: usize,
        module: &Module,
        name: &str,
        is_last: bool,
        seen: &mut Vec<(usize, String)>,
    ) -> Option<Target> {
        if let Some(import) = module
            .imports
            .iter()
            .find(|import| import.name.as_deref() == Some(name))
        {
            return Some(self.resolve_unseen(at, &import.path, seen));
        }
        if module.parent.is_none()
            && let Some(defining) = self.exported_macros.get(name)
        {
            return Some(Target::ItemOf(*defining));
        }
        let globs = module.imports.iter().filter(|import| import.is_glob);
        for import in globs {
            if let Target::Module(from) = self.resolve_unseen(at, &import.path, seen)
                && let Some(found) = self.look_up(from, name, is_last, seen)
            {
                return Some(found);
            }
        }
        None
    }
}
