//! Who may call an operation: the role, in words and as `x-required-role`.

use model::RequestType;
use serde_json::Value;

use super::walk::{name_of, operations};

/// Adds the role to every operation.
pub(super) fn complete(document: &mut Value) {
    for (_, _, operation) in operations(document) {
        let needs = RequestType::from_name(&name_of(operation)).map(RequestType::needs);
        let (role, words) = match needs {
            Some(role) => (
                role.as_str(),
                format!("Needs a key with the role `{role}`, or a higher one."),
            ),
            None => ("none", "Needs no key.".to_owned()),
        };
        let description = match operation.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text}\n\n{words}"),
            None => words,
        };
        operation.insert("description".to_owned(), description.into());
        operation.insert("x-required-role".to_owned(), role.into());
    }
}
