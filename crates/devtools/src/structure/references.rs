//! Collects the imports and the paths that the code of one module contains, as they are written.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemUse, Lit, Macro, Stmt, TraitItem, UseTree, Visibility};

/// One leaf of a `use`.
pub(super) struct Import {
    /// The name that it binds: nothing for `*` and `as _`.
    pub(super) name: Option<String>,
    pub(super) path: Vec<String>,
    pub(super) is_glob: bool,
    pub(super) is_reexport: bool,
    pub(super) line: usize,
}

/// A path in code.
pub(super) struct Reference {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) imports: Vec<Import>,
    pub(super) references: Vec<Reference>,
}

/// What the items of one module contain, without its child modules.
pub(super) fn in_items(items: &[Item]) -> Found {
    let mut found = Found::default();
    for item in items {
        found.visit_item(item);
    }
    found
}

pub(super) fn in_attributes(attributes: &[Attribute]) -> Vec<Reference> {
    let mut found = Found::default();
    for attribute in attributes {
        found.visit_attribute(attribute);
    }
    found.references
}

/// Whether an item exists in tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl Found {
    fn import(&mut self, tree: &UseTree, prefix: &[String], is_reexport: bool) {
        let with = |last: &Ident| {
            let mut path = prefix.to_vec();
            // `use crate::a::{self}` names `crate::a`.
            if last != "self" || prefix.is_empty() {
                path.push(last.to_string());
            }
            path
        };
        let (name, path, is_glob) = match tree {
            UseTree::Path(branch) => return self.import(&branch.tree, &with(&branch.ident), is_reexport),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, prefix, is_reexport);
                }
                return;
            }
            UseTree::Name(leaf) => {
                let path = with(&leaf.ident);
                (path.last().cloned(), path, false)
            }
            UseTree::Rename(leaf) => {
                let name = leaf.rename.to_string();
                (Some(name).filter(|name| name != "_"), with(&leaf.ident), false)
            }
            UseTree::Glob(_) => (None, prefix.to_vec(), true),
        };
        let line = tree.span().start().line;
        self.imports.push(Import {
            name,
            path,
            is_glob,
            is_reexport,
            line,
        });
    }

    /// Paths in the arguments of a macro or an attribute, which have no syntax tree. A string counts where it is a path:
    /// `#[serde(default = "crate::job::none")]`.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal.clone())
                        && text.value().contains("::")
                        && let Ok(path) = text.parse::<syn::Path>()
                    {
                        self.visit_path(&path);
                    }
                }
                TokenTree::Punct(_) => {}
                TokenTree::Ident(first) => {
                    let starts = starts_path(&tokens, at);
                    let mut path = vec![first.to_string()];
                    while (mark(&tokens, at + 1), mark(&tokens, at + 2)) == (Some(':'), Some(':'))
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if starts {
                        let line = first.span().start().line;
                        self.references.push(Reference { path, line });
                    }
                }
            }
            at += 1;
        }
    }
}

fn mark(tokens: &[TokenTree], at: usize) -> Option<char> {
    match tokens.get(at) {
        Some(TokenTree::Punct(mark)) => Some(mark.as_char()),
        _ => None,
    }
}

/// Whether the name at a place can start a path: it is no field, method, lifetime or later part of a path.
fn starts_path(tokens: &[TokenTree], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| mark(tokens, at));
    match before(1) {
        Some(':') => before(2) != Some(':'),
        Some('.') => before(2) == Some('.'),
        Some('\'') => false,
        _ => true,
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            // Child modules are visited on their own.
            Item::Mod(_) => return,
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(method) if is_test(&method.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !matches!(item, TraitItem::Fn(method) if is_test(&method.attrs)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if !matches!(statement, Stmt::Local(local) if is_test(&local.attrs)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    /// `pub(crate)` is no use of the crate's root.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        self.visit_path(attribute.path());
        match &attribute.meta {
            syn::Meta::Path(_) => {}
            syn::Meta::List(list) => self.tokens(list.tokens.clone()),
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
        }
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let line = path.span().start().line;
            self.references.push(Reference { path: names, line });
        }
        visit::visit_path(self, path);
    }
}
