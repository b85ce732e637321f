//! Links: where the id in an answer leads. They follow from the paths and the types of the answers.

use serde_json::{Map, Value, json};

use super::walk::{name_of, operations, resolved};

/// A thing with an address of its own.
struct Thing {
    /// The component with its fields.
    schema: String,
    /// Its path, with one parameter at the end: `/runs/{run_id}`.
    path: String,
    parameter: String,
    /// The field of its answers that the parameter takes.
    field: String,
}

/// An operation to which a link may lead.
struct Target {
    name: String,
    method: String,
    path: String,
    takes_account: bool,
    needs_body: bool,
}

/// Adds the links to every answer that holds a thing.
pub(super) fn complete(document: &mut Value) {
    let targets = targets(document);
    let things = things(document);
    let snapshot = document.clone();
    for (_, method, operation) in operations(document) {
        let name = name_of(operation);
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (_, response) in responses
            .into_iter()
            .flatten()
            .filter(|(status, _)| status.starts_with('2'))
        {
            let schema = &response["content"]["application/json"]["schema"];
            let links = links(&snapshot, &things, &targets, schema, &name, method == "post");
            if !links.is_empty() {
                response["links"] = links.into();
            }
        }
    }
}

fn targets(document: &mut Value) -> Vec<Target> {
    let target = |(path, method, operation): (&str, &str, &mut Map<String, Value>)| Target {
        name: name_of(operation),
        method: method.to_owned(),
        path: path.to_owned(),
        takes_account: super::walk::parameters(operation)
            .any(|each| each["name"] == "account_id" && each["in"] == "query"),
        needs_body: operation.contains_key("requestBody"),
    };
    operations(document).map(target).collect()
}

/// What the paths with one parameter at the end answer.
fn things(document: &Value) -> Vec<Thing> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let thing = |(path, item): (&String, &Value)| {
        let (before, parameter) = path.strip_suffix('}')?.split_once("/{")?;
        if before.contains('{') || parameter.contains('{') {
            return None;
        }
        let schema = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let fields = resolved(document, schema)["properties"].as_object()?;
        let field = [parameter, "id"].into_iter().find(|name| fields.contains_key(*name))?;
        Some(Thing {
            schema: schema["$ref"].as_str()?.to_owned(),
            path: path.clone(),
            parameter: parameter.to_owned(),
            field: field.to_owned(),
        })
    };
    paths.filter_map(thing).collect()
}

/// The links of an answer: to every operation on the thing that it is, to the first entry of the list that it is.
fn links(
    document: &Value,
    things: &[Thing],
    targets: &[Target],
    schema: &Value,
    own: &str,
    is_change: bool,
) -> Map<String, Value> {
    let mut links = Map::new();
    let entry = &resolved(document, schema)["properties"]["results"]["items"];
    let of = |schema: &Value| things.iter().find(|thing| schema["$ref"] == thing.schema.as_str());
    // A new key is a key with its text.
    let wrapped = resolved(document, schema)["allOf"]
        .as_array()
        .and_then(|parts| parts.iter().find_map(&of));
    let (thing, place) = match (of(schema).or(wrapped), of(entry)) {
        (Some(thing), _) => (thing, "$response.body#"),
        (None, Some(thing)) => (thing, "$response.body#/results/0"),
        (None, None) => return links,
    };
    let is_list = place.ends_with("/0");
    let below = format!("{}/", thing.path);
    for target in targets {
        let is_of_thing =
            target.path == thing.path || target.path.strip_prefix(&below).is_some_and(|rest| !rest.contains('{'));
        // A list leads to the thing alone, a change to all that can be done with its result.
        let leads = if is_list || !is_change {
            target.method == "get"
        } else {
            true
        };
        let is_itself = target.path == thing.path && is_list;
        if !is_of_thing || !leads || target.needs_body || target.name == own || (is_list && !is_itself) {
            continue;
        }
        let mut parameters = Map::new();
        parameters.insert(
            format!("path.{}", thing.parameter),
            json!(format!("{place}/{}", thing.field)),
        );
        if target.takes_account {
            parameters.insert("query.account_id".to_owned(), json!(format!("{place}/account_id")));
        }
        let link = json!({
            "operationId": target.name, "parameters": parameters,
            "description": format!("`{}` in `{}` is the `{}` of `{}`.", thing.field, if is_list { "results" } else { "the answer" }, thing.parameter, target.name),
        });
        links.insert(target.name.clone(), link);
    }
    links
}
