//! Validates a query against its schema and executes it over JSON, for any schema.

use apollo_compiler::resolvers::{Execution, ObjectValue};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};

use super::request::GraphqlRequest;

/// Reads a schema file of this crate; panics on an invalid one.
pub(super) fn schema(text: &'static str, name: &str) -> Valid<Schema> {
    match Schema::parse_and_validate(text, name) {
        Ok(schema) => schema,
        Err(problems) => panic!("{name}: {}", problems.errors),
    }
}

/// The answer to a request, with `errors` where there are any.
pub(super) fn execute(schema: &Valid<Schema>, request: &GraphqlRequest, root: &dyn ObjectValue) -> Value {
    let document = match ExecutableDocument::parse_and_validate(schema, &request.query, "query.graphql") {
        Ok(document) => document,
        Err(problems) => {
            let errors: Vec<Value> = problems.errors.iter().map(|error| json!(error.to_json())).collect();
            return json!({ "errors": errors });
        }
    };
    let refuse = |message: String| json!({ "errors": [{ "message": message }] });
    let variables = match serde_json::from_value(request.variables.clone()) {
        Ok(variables) => variables,
        Err(_) if request.variables.is_null() => apollo_compiler::response::JsonMap::new(),
        Err(error) => return refuse(error.to_string()),
    };
    let execution = match Execution::new(schema, &document).operation_name(request.operation_name.as_deref()) {
        Ok(execution) => execution
            .enable_schema_introspection(true)
            .raw_variable_values(&variables),
        Err(error) => return refuse(error.message().to_string()),
    };
    match execution.execute_sync(root) {
        Ok(response) => {
            let mut body = json!({ "data": response.data });
            if !response.errors.is_empty() {
                body["errors"] = json!(response.errors);
            }
            body
        }
        Err(error) => refuse(error.message().to_string()),
    }
}

/// Whether the request is a mutation.
pub(super) fn is_mutation(schema: &Valid<Schema>, request: &GraphqlRequest) -> bool {
    let document = ExecutableDocument::parse_and_validate(schema, &request.query, "query.graphql");
    document.is_ok_and(|document| {
        document
            .operations
            .get(request.operation_name.as_deref())
            .is_ok_and(|operation| operation.is_mutation())
    })
}
