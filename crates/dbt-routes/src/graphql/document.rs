//! Parses a document, and judges its operation by its type and its root fields.

use std::collections::{HashMap, HashSet};

use apollo_parser::Parser;
use apollo_parser::cst::{Definition, Document, OperationDefinition, Selection, SelectionSet};
use model::GraphqlEffect;

use super::{GraphqlLimits, RefusedGraphql};
use crate::api::DbtApi;

/// The mutations of the Semantic Layer that create a query, whose result is read later. They change nothing else.
const CREATE_QUERY: [&str; 2] = ["createQuery", "createDimensionValuesQuery"];

impl GraphqlLimits {
    /// What the operation of that name does at that API; without a name, the strongest effect of all operations.
    ///
    /// # Errors
    /// [`RefusedGraphql`].
    pub fn judge(
        &self,
        api: DbtApi,
        document: &str,
        operation_name: Option<&str>,
    ) -> Result<GraphqlEffect, RefusedGraphql> {
        let parsed = Parser::new(document)
            .recursion_limit(self.max_depth)
            .token_limit(self.max_tokens)
            .parse();
        if let Some(error) = parsed.errors().next() {
            return Err(if error.is_limit() {
                RefusedGraphql::TooLarge(*self)
            } else {
                RefusedGraphql::Syntax {
                    index: error.index(),
                    message: error.message().to_owned(),
                }
            });
        }
        let document = Definitions::of(&parsed.document());
        let effects = document
            .selected(operation_name)?
            .map(|operation| document.effect(api, operation));
        effects
            .reduce(|one, other| Ok(one?.max(other?)))
            .unwrap_or(Err(RefusedGraphql::NoOperation))
    }
}

/// The executable definitions of a document.
struct Definitions {
    operations: Vec<OperationDefinition>,
    fragments: HashMap<String, Vec<SelectionSet>>,
}

impl Definitions {
    fn of(document: &Document) -> Self {
        let mut all = Self {
            operations: Vec::new(),
            fragments: HashMap::new(),
        };
        for definition in document.definitions() {
            match definition {
                Definition::OperationDefinition(operation) => all.operations.push(operation),
                Definition::FragmentDefinition(fragment) => {
                    let name = fragment.fragment_name().and_then(|name| name.name());
                    if let (Some(name), Some(fields)) = (name, fragment.selection_set()) {
                        // A name that is used twice counts as both.
                        all.fragments.entry(name.text().to_string()).or_default().push(fields);
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// The operations that may run.
    fn selected(&self, name: Option<&str>) -> Result<impl Iterator<Item = &OperationDefinition>, RefusedGraphql> {
        let name = name.filter(|name| !name.is_empty());
        let is_named = move |operation: &&OperationDefinition| {
            name.is_none_or(|name| operation.name().is_some_and(|own| own.text() == name))
        };
        match name {
            Some(name) if !self.operations.iter().any(|each| is_named(&each)) => {
                Err(RefusedGraphql::UnknownOperation(name.to_owned()))
            }
            _ => Ok(self.operations.iter().filter(is_named)),
        }
    }

    fn effect(&self, api: DbtApi, operation: &OperationDefinition) -> Result<GraphqlEffect, RefusedGraphql> {
        // Without a type it is a query: `{ field }`.
        let Some(kind) = operation.operation_type() else {
            return Ok(GraphqlEffect::Reads);
        };
        if kind.subscription_token().is_some() {
            return Err(RefusedGraphql::Subscription);
        }
        if kind.mutation_token().is_none() {
            return Ok(GraphqlEffect::Reads);
        }
        let creates_query = api == DbtApi::SemanticLayer
            && operation
                .selection_set()
                .and_then(|fields| self.root_fields(fields))
                .is_some_and(|fields| fields.iter().all(|field| CREATE_QUERY.contains(&field.as_str())));
        Ok(if creates_query {
            GraphqlEffect::CreatesQuery
        } else {
            GraphqlEffect::Changes
        })
    }

    /// The names of the root fields, those of fragments included; `None` where a fragment is missing.
    fn root_fields(&self, root: SelectionSet) -> Option<HashSet<String>> {
        let (mut fields, mut seen) = (HashSet::new(), HashSet::new());
        let mut sets = vec![root];
        while let Some(set) = sets.pop() {
            for selection in set.selections() {
                match selection {
                    // An alias does not change the name.
                    Selection::Field(field) => {
                        fields.insert(field.name()?.text().to_string());
                    }
                    Selection::InlineFragment(fragment) => sets.push(fragment.selection_set()?),
                    Selection::FragmentSpread(spread) => {
                        let name = spread.fragment_name()?.name()?.text().to_string();
                        let named = self.fragments.get(&name)?;
                        if seen.insert(name) {
                            sets.extend(named.iter().cloned());
                        }
                    }
                }
            }
        }
        (!fields.is_empty()).then_some(fields)
    }
}
