//! The table in `docs/roles.md`: the role that each operation needs, from the OpenAPI document and the request types.

use std::fmt::Write as _;

use model::{RequestType, Role};
use serde_json::Value;

/// The text of `docs/roles.md`.
pub fn roles_table() -> String {
    let mut page = String::from(
        "# Roles\n\n\
         Which role may do what, within its company. `./dev roles` renews this page; a test compares it with what is served.\n\n\
         | operation | method | path | viewer | operator | admin |\n|---|---|---|---|---|---|\n",
    );
    for (path, method, operation) in operations() {
        let needs = RequestType::from_name(&operation).map(RequestType::needs);
        line(&mut page, &operation, &method, &path, needs);
    }
    page.push_str(
        "\n## Relayed\n\n\
         The operations of dbt Cloud's own routes, v2 and v3, by the dbt-compatible surface. HEAD needs what GET needs. Those \
         marked * show a new dbt token and are refused to all, unless `compat.allow_token_minting` is set. Those with names in \
         brackets are not in dbt Cloud's specifications: the released clients of that name use them. What is not listed \
         (`forward`) is for admins. A GraphQL document with a mutation is `mutate_metadata` or `mutate_semantic_layer`, also \
         when it is sent to `/metadata/query` or `/semantic-layer/query`; one that only creates queries of the Semantic Layer \
         (`createQuery`, `createDimensionValuesQuery`) is `query_semantic_layer`.\n\n\
         | operation | method | path | viewer | operator | admin |\n|---|---|---|---|---|---|\n",
    );
    for operation in dbt_routes::operations() {
        let mark = if operation.mints_token() { " *" } else { "" };
        let clients = operation
            .used_by()
            .map(|clients| format!(" ({clients})"))
            .unwrap_or_default();
        let method = format!("{}{mark}{clients}", operation.method());
        line(
            &mut page,
            operation.as_str(),
            &method,
            operation.template(),
            Some(operation.needs()),
        );
    }
    for (request_type, path) in [
        (RequestType::QueryMetadata, "/graphql"),
        (RequestType::QueryMetadata, "/beta/graphql"),
        (RequestType::QuerySemanticLayer, "/api/graphql"),
        (RequestType::MutateMetadata, "/graphql"),
        (RequestType::MutateMetadata, "/beta/graphql"),
        (RequestType::MutateSemanticLayer, "/api/graphql"),
    ] {
        line(
            &mut page,
            request_type.as_str(),
            "POST",
            path,
            Some(request_type.needs()),
        );
    }
    page
}

fn line(page: &mut String, operation: &str, method: &str, path: &str, needs: Option<Role>) {
    let may = Role::ALL.map(|role| match needs {
        None => "no key needed",
        Some(needs) if role >= needs => "yes",
        Some(_) => "",
    });
    let [viewer, operator, admin] = may;
    // Writing to a `String` cannot fail.
    let _ = writeln!(
        page,
        "| `{operation}` | {method} | `{path}` | {viewer} | {operator} | {admin} |"
    );
}

/// Path, method and name of every operation, in the document's order.
fn operations() -> Vec<(String, String, String)> {
    let document = crate::document();
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
