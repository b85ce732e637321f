//! Fixed words: each that the document lists is accepted, and no other.

use std::collections::BTreeSet;

use model::Role;
use serde_json::Value;

use crate::support::{TestApp, document, operations, resolved, with_parameter};

/// The words of a parameter; empty where they are not fixed.
fn words(document: &Value, parameter: &Value) -> Vec<String> {
    let schema = &parameter["schema"];
    let schema = resolved(document, schema["allOf"].get(0).unwrap_or(schema));
    let schema = if schema["items"].is_object() {
        resolved(document, &schema["items"])
    } else {
        schema
    };
    let words = schema["enum"].as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_parameter_accepts_the_listed_words_and_no_other() {
    let app = TestApp::start().await;
    let document = document();
    let mut accepted = 0;
    let mut tried = BTreeSet::new();
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let mut path = operation.path.clone();
        for parameter in operation.parameters().filter(|each| each["in"] == "path") {
            let value = parameter["example"].to_string();
            path = path.replace(
                &format!("{{{}}}", parameter["name"].as_str().unwrap()),
                value.trim_matches('"'),
            );
        }
        for parameter in operation.parameters().filter(|each| each["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let words = words(&document, parameter);
            // All words once, the first one wherever it stands.
            let count = if tried.insert(words.clone()) { words.len() } else { 1 };
            for word in words.iter().take(count) {
                let answer = app
                    .caller(Role::Admin)
                    .get(&with_parameter(&path, &format!("{name}={word}")))
                    .await;
                assert!(
                    answer.status.is_success(),
                    "{} {name}={word}: {answer:#?}",
                    operation.id
                );
                accepted += 1;
            }
            if !words.is_empty() {
                for other in ["", "another", "Ünknown"] {
                    let answer = app
                        .caller(Role::Admin)
                        .get(&with_parameter(&path, &format!("{name}={other}")))
                        .await;
                    answer.problem(400, "invalid-request");
                }
            }
        }
    }
    assert!(accepted > 100, "{accepted}");
}

#[tokio::test]
async fn a_number_outside_its_range_is_refused() {
    let app = TestApp::start().await;
    let mut refused = 0;
    for operation in operations()
        .iter()
        .filter(|operation| operation.method == "GET" && !operation.path.contains('{'))
    {
        for parameter in operation.parameters().filter(|each| each["in"] == "query") {
            let (schema, name) = (&parameter["schema"], parameter["name"].as_str().unwrap());
            let beyond = [
                schema["minimum"].as_i64().map(|least| least - 1),
                schema["maximum"].as_i64().map(|most| most + 1),
            ];
            for number in beyond.into_iter().flatten() {
                let answer = app
                    .caller(Role::Admin)
                    .get(&with_parameter(&operation.path, &format!("{name}={number}")))
                    .await;
                answer.problem(400, "invalid-request");
                refused += 1;
            }
        }
    }
    assert!(refused > 40, "{refused}");
}
