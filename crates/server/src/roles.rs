//! The table of `docs/roles.md`: which role every operation needs, read off the OpenAPI document and the request types.

use std::fmt::Write as _;

use model::{RequestType, Role};
use serde_json::Value;

/// `docs/roles.md`, whole.
pub fn roles_table() -> String {
    let mut page = String::from(
        "# Roles\n\n\
         Which role may do what, within its company. `./dev roles` renews this page; a test compares it with what is served.\n\n\
         | operation | method | path | viewer | operator | admin |\n|---|---|---|---|---|---|\n",
    );
    for (path, method, operation) in operations() {
        let needs = RequestType::from_name(&operation).map(RequestType::needs);
        let may = Role::ALL.map(|role| match needs {
            None => "no key needed",
            Some(needs) if role >= needs => "yes",
            Some(_) => "",
        });
        let [viewer, operator, admin] = may;
        // Writing to a `String` always works.
        let _ = writeln!(
            page,
            "| `{operation}` | {method} | `{path}` | {viewer} | {operator} | {admin} |"
        );
    }
    page
}

/// Path, method and name of every operation, in the document's order.
fn operations() -> Vec<(String, String, String)> {
    let document = serde_json::to_value(crate::document()).unwrap_or_default();
    let paths = document["paths"].as_object().into_iter().flatten();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().into_iter().flatten();
        methods
            .map(|(method, operation)| {
                let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
                (path.clone(), method.to_uppercase(), name)
            })
            .collect::<Vec<_>>()
    };
    paths.flat_map(of_path).collect()
}
