//! The document is exact: what it says of ids, of fields, of roles and of problems. Every check learns from the document.

use std::collections::BTreeSet;

use model::{RequestType, Role};
use serde_json::{Value, json};

use super::assert_valid;
use crate::support::{TestApp, document, operations, resolved, with_parameter};

/// Calls `each` for every object of the document with its place, but not within examples.
fn walk(value: &Value, place: &str, each: &mut impl FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            each(place, object);
            for (name, below) in object {
                if !["example", "examples"].contains(&name.as_str()) {
                    walk(below, &format!("{place}/{name}"), each);
                }
            }
        }
        Value::Array(list) => {
            for (index, below) in list.iter().enumerate() {
                walk(below, &format!("{place}/{index}"), each);
            }
        }
        _ => {}
    }
}

/// The names of the components that a part of the document refers to, also through others.
fn referred(document: &Value, part: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut parts = vec![part.clone()];
    while let Some(part) = parts.pop() {
        walk(&part, "", &mut |_, object| {
            let name = object
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|text| text.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && names.insert(name.to_owned())
            {
                parts.push(document["components"]["schemas"][name].clone());
            }
        });
    }
    names
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    let text = document.to_string();
    walk(&document, "", &mut |place, object| {
        if let Some(reference) = object.get("$ref") {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{place}: {reference}");
            used.insert(pointer.to_owned());
        }
    });
    for (kind, components) in document["components"].as_object().unwrap() {
        for name in components
            .as_object()
            .unwrap()
            .keys()
            .filter(|_| kind != "securitySchemes")
        {
            assert!(
                text.contains(&format!("\"#/components/{kind}/{name}\"")),
                "{kind} {name} is not used"
            );
        }
    }
    assert!(used.len() > 60, "{used:?}");
}

#[test]
fn ids_are_positive() {
    let document = document();
    let mut seen = 0;
    let mut check = |place: &str, name: &str, schema: &Value| {
        let schema = if schema["items"].is_object() {
            &schema["items"]
        } else {
            schema
        };
        let kinds = schema["type"]
            .as_str()
            .map_or_else(|| schema["type"].to_string(), str::to_owned);
        if (name == "id" || name.ends_with("_id")) && kinds.contains("integer") {
            assert_eq!(schema["minimum"], 1, "{place}: {name}");
            seen += 1;
        }
    };
    walk(&document, "", &mut |place, object| {
        for (name, schema) in object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            check(place, name, schema);
        }
        if object.contains_key("in") {
            check(place, object["name"].as_str().unwrap(), &object["schema"]);
        }
    });
    assert!(seen > 100, "{seen}");
}

#[tokio::test]
async fn an_id_that_is_not_positive_is_refused_wherever_it_stands() {
    let app = TestApp::start().await;
    let mut asked = 0;
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let example = |parameter: &Value| parameter["example"].to_string().trim_matches('"').to_owned();
        let fill = |bad: Option<&Value>, zero: &str| {
            let mut path = operation.path.clone();
            for parameter in operation.parameters().filter(|each| each["in"] == "path") {
                let value = if bad == Some(parameter) {
                    zero.to_owned()
                } else {
                    example(parameter)
                };
                path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &value);
            }
            path
        };
        for parameter in operation.parameters() {
            let schema = &parameter["schema"];
            let item = if schema["items"].is_object() {
                &schema["items"]
            } else {
                schema
            };
            if item["type"] != "integer" || item["minimum"] != 1 {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            for zero in ["0", "-1", "1.5", ""] {
                let address = match parameter["in"] == "path" {
                    true if zero.is_empty() => continue,
                    true => fill(Some(parameter), zero),
                    false => with_parameter(&fill(None, ""), &format!("{name}={zero}")),
                };
                let answer = app.caller(Role::Admin).get(&address).await;
                answer.problem(400, "invalid-request");
                asked += 1;
            }
        }
    }
    assert!(asked > 150, "{asked}");
}

#[test]
fn a_list_has_the_type_of_a_single_thing() {
    let document = document();
    let components = document["components"]["schemas"].as_object().unwrap();
    walk(&document, "", &mut |place, object| {
        let is_component = place
            .strip_prefix("/components/schemas/")
            .is_some_and(|rest| !rest.contains('/'));
        let is_type = object.contains_key("properties") && object["properties"].is_object();
        if !is_component && is_type && !place.ends_with("/properties") {
            let twin = components.iter().find(|(_, schema)| schema.as_object() == Some(object));
            assert!(twin.is_none(), "{place} repeats {}", twin.unwrap().0);
        }
    });
    let mut lists = 0;
    for (name, schema) in components {
        let items = &schema["properties"]["results"]["items"];
        if !items.is_null() {
            assert!(items["$ref"].is_string(), "{name} lists a type without a name: {items}");
            lists += 1;
        }
    }
    assert!(lists > 10, "{lists}");
}

#[test]
fn an_answer_requires_every_field_that_may_be_null() {
    let document = document();
    let mut answered = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for operation in operations() {
        answered.extend(referred(&document, &operation.spec["responses"]));
        taken.extend(referred(&document, &operation.spec["requestBody"]));
    }
    let mut fields = 0;
    for name in answered.difference(&taken) {
        let schema = &document["components"]["schemas"][name];
        let required = |field: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|all| all.contains(&json!(field)))
        };
        for (field, of) in schema["properties"].as_object().into_iter().flatten() {
            // A component is never null.
            let may_be_null = !of["$ref"].is_string()
                && {
                    let schemas = json!({"schemas": if of.to_string().contains("$ref") { document["components"]["schemas"].clone() } else { json!({}) }});
                    let validator = jsonschema::validator_for(&json!({"allOf": [of], "components": schemas})).unwrap();
                    validator.is_valid(&Value::Null)
                };
            assert!(required(field) || !may_be_null, "{name}.{field} may be null and absent");
            fields += 1;
        }
    }
    assert!(fields > 250, "{fields}");
}

#[test]
fn every_operation_says_which_role_it_needs() {
    for operation in operations() {
        let role = operation.spec["x-required-role"].as_str().unwrap_or_default();
        let needs = RequestType::from_name(&operation.id).map_or("none", |request| request.needs().as_str());
        let words = operation.spec["description"].as_str().unwrap_or_default();
        assert_eq!(role, needs, "{}", operation.id);
        let said = words.contains(&format!("`{needs}`")) || words.contains("no key");
        assert!(said, "{}: {words}", operation.id);
        let own = words.rsplit_once("\n\n").map_or("", |(own, _)| own);
        assert!(own.len() > 20, "{} is described by its role alone", operation.id);
    }
}

#[test]
fn every_parameter_has_an_example_that_it_accepts() {
    let document = document();
    let mut checked = 0;
    for operation in operations() {
        for parameter in operation.parameters() {
            let name = format!("{} {}", operation.id, parameter["name"]);
            let schema = &parameter["schema"];
            let example = [&parameter["example"], &schema["examples"][0]]
                .into_iter()
                .find(|each| !each.is_null());
            assert_valid(
                &document,
                schema,
                example.unwrap_or_else(|| panic!("{name} has no example")),
            );
            // The explorer would send it.
            let is_filled_in = parameter["required"] == true || parameter["name"] == "account_id";
            assert_eq!(parameter["example"].is_null(), !is_filled_in, "{name}");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

#[test]
fn every_problem_has_an_example_of_its_own() {
    let document = document();
    let mut details = BTreeSet::new();
    for (name, example) in document["components"]["examples"].as_object().unwrap() {
        let value = &example["value"];
        assert_valid(&document, &json!({"$ref": "#/components/schemas/Problem"}), value);
        assert_eq!(value["type"], format!("/problems/{name}"));
        let detail = value["detail"].as_str().unwrap();
        assert!(
            detail.len() > 15 && details.insert(detail.to_owned()),
            "{name}: {detail:?}"
        );
    }
    for operation in operations() {
        for (status, response) in operation.spec["responses"].as_object().unwrap() {
            let content = &resolved(&document, response)["content"]["application/problem+json"];
            if content.is_null() {
                continue;
            }
            let examples = content["examples"]
                .as_object()
                .unwrap_or_else(|| panic!("{} {status}", operation.id));
            assert!(!examples.is_empty());
            for example in examples.values() {
                let value = &resolved(&document, example)["value"];
                assert_eq!(value["status"].to_string(), *status, "{}: {value}", operation.id);
                let named = resolved(&document, response)["description"]
                    .as_str()
                    .unwrap_or_default();
                let kind = value["type"].as_str().unwrap();
                assert!(
                    named.contains(kind) || operation.id == "readyz",
                    "{} {status}: {kind} is not named",
                    operation.id
                );
            }
        }
    }
}

#[test]
fn the_document_says_where_the_gateway_is_and_how_to_get_a_key() {
    let document = document();
    assert_eq!(document["servers"][0]["url"], "/");
    let guide = document["info"]["description"].as_str().unwrap();
    for words in [
        "Getting a key",
        "POST /api-keys",
        "dbt-gateway keys create",
        "./dev demo",
    ] {
        assert!(guide.contains(words), "{words}");
    }
}
