//! The OpenAPI document: what it says is what is served.

use std::collections::BTreeSet;

use model::RequestType;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use simulator::acme;

use crate::support::{Answer, TestApp};

const SERVICE: [&str; 3] = ["welcome", "healthz", "readyz"];

fn document() -> Value {
    serde_json::to_value(server::document()).unwrap()
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .map(|(method, operation)| (path.clone(), method.to_uppercase().parse().unwrap(), operation.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

fn id(operation: &Value) -> &str {
    operation["operationId"].as_str().unwrap()
}

/// Follows a `$ref` within the document.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn assert_valid(document: &Value, schema: &Value, instance: &Value) {
    let mut root = schema.clone();
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["components"] = document["components"].clone();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&root)
        .unwrap();
    let errors: Vec<_> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {instance:#}");
    assert_named(document, schema, instance);
}

/// A schema allows what it does not name; an answer of ours has exactly the fields that it names.
fn assert_named(document: &Value, schema: &Value, instance: &Value) {
    let schema = resolved(document, schema);
    if let (Some(fields), Some(named)) = (instance.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            let field = named.get(name).unwrap_or_else(|| panic!("`{name}` is not documented"));
            assert_named(document, field, value);
        }
    }
    for entry in instance.as_array().into_iter().flatten() {
        assert_named(document, &schema["items"], entry);
    }
}

/// The example of a schema, or the one that its fields and entries make, as the explorer shows it.
fn example_of(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(fields) = schema["properties"].as_object() {
        let example = |(name, field): (&String, &Value)| (name.clone(), example_of(document, field));
        return fields.iter().map(example).collect();
    }
    assert!(!schema["items"].is_null(), "no example: {schema:#}");
    json!([example_of(document, &schema["items"])])
}

/// The documented content of an answer with that status.
fn documented<'a>(operation: &'a Value, answer: &Answer) -> &'a Value {
    let responses = &operation["responses"];
    let status = answer.status.as_str();
    let response = responses.get(status).or(responses.get("default"));
    let response = response.unwrap_or_else(|| panic!("{} does not document {status}", id(operation)));
    let media_type = answer.header(CONTENT_TYPE).unwrap();
    &response["content"][media_type]["schema"]
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let app = TestApp::start().await;
    let served = app.stranger().get("/openapi.json").await.expect(200);
    assert_eq!(served, document());
    let mut committed = served;
    committed["info"]["version"] = json!("[version]");
    let mut settings = insta::Settings::clone_current();
    settings.set_sort_maps(true);
    settings.bind(|| insta::assert_json_snapshot!("openapi", committed));
}

#[test]
fn every_operation_is_named_as_on_every_floor_and_described() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let tags: BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut ids = BTreeSet::new();
    for (path, _, operation) in operations(&document) {
        let id = id(&operation).to_owned();
        assert!(
            RequestType::from_name(&id).is_some() || SERVICE.contains(&id.as_str()),
            "{id}"
        );
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{id} has no summary"
        );
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{id}: {tag} has no description");
        }
        let open = operation["security"] == json!([{}]);
        assert_eq!(open, SERVICE.contains(&id.as_str()), "{id} says who may ask");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap();
            let text = parameter["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{id}: `{name}` is not described");
        }
        for name in path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        {
            let documented = |parameter: &Value| parameter["name"] == name && parameter["in"] == "path";
            assert!(parameters.iter().any(documented), "{id}: {{{name}}} is not documented");
        }
        assert!(ids.insert(id), "two operations of one name");
    }
}

#[test]
fn every_body_has_an_example_that_its_schema_accepts() {
    let document = document();
    for (_, _, operation) in operations(&document) {
        let mut examples = 0;
        let responses = operation["responses"].as_object().unwrap().values();
        let bodies = responses
            .chain([&operation["requestBody"]])
            .filter(|body| !body["content"].is_null());
        for content in bodies.flat_map(|body| body["content"].as_object().unwrap().values()) {
            let schema = &content["schema"];
            let example = example_of(&document, schema);
            assert_valid(&document, schema, &example);
            examples += 1;
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = &parameter["schema"];
            for example in [&parameter["example"], &schema["example"], &schema["default"]] {
                if !example.is_null() {
                    assert_valid(&document, schema, example);
                }
            }
        }
        assert!(examples > 0, "{} has no body at all", id(&operation));
    }
}

/// Walks the document and drives each operation itself: one that is added without a request here fails the test.
#[tokio::test]
async fn every_operation_answers_as_documented_when_asked_as_documented() {
    let app = TestApp::start().await;
    let document = document();
    for (path, method, operation) in operations(&document) {
        let name = id(&operation);
        let (place, body) = match name {
            "list_projects" => ("/projects?page_size=3&state=all".to_owned(), None),
            "get_project" => (path.replace("{project_id}", &acme::PROJECT_ID.to_string()), None),
            "trigger_job" => {
                let body = &resolved(
                    &document,
                    &operation["requestBody"]["content"]["application/json"]["schema"],
                )["example"];
                (path.replace("{job_id}", &acme::NIGHTLY_JOB_ID.to_string()), Some(body))
            }
            "get_run" => (path.replace("{run_id}", &acme::FAILED_RUN_ID.to_string()), None),
            "welcome" | "healthz" | "readyz" => (path.clone(), None),
            other => panic!("no request for the operation {other} in this test"),
        };
        let caller = if SERVICE.contains(&name) {
            app.stranger()
        } else {
            app.operator()
        };
        let mut request = caller.request(method.clone(), &place);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = caller.send(request).await;
        let responses = operation["responses"].as_object().unwrap();
        let success = responses.keys().find(|status| status.starts_with('2')).unwrap();
        assert_eq!(answer.status.as_str(), success, "{name}: {answer:#?}");
        assert_valid(&document, documented(&operation, &answer), &answer.json());
        for header in responses[success]["headers"]
            .as_object()
            .into_iter()
            .flat_map(serde_json::Map::keys)
        {
            assert!(answer.headers.contains_key(header), "{name} documents {header}");
        }
        if SERVICE.contains(&name) {
            continue;
        }
        assert_eq!(app.row_of(&answer).await["request_type"], name);
        assert_eq!(app.row_of(&answer).await["template"], path);

        let stranger = app.stranger().send(app.stranger().request(method, &place)).await;
        stranger.problem(401, "unauthenticated");
        assert_valid(&document, documented(&operation, &stranger), &stranger.json());
    }
}

#[tokio::test]
async fn problems_with_all_their_extras_are_as_documented() {
    let mut setup = crate::support::Setup::default();
    let globex = (
        crate::support::COMPANY,
        simulator::globex::ACCOUNT_ID,
        simulator::globex::TOKEN.to_owned(),
    );
    setup.accounts.push(globex);
    let app = setup.start().await;
    let document = document();
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let ambiguous = app.viewer().get("/projects").await.problem(400, "ambiguous-account");
    assert_valid(&document, &problem, &ambiguous);
    let trigger = format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID);
    let invalid = app
        .operator()
        .post(&trigger, &json!({"cause": ""}))
        .await
        .problem(400, "invalid-request");
    assert_valid(&document, &problem, &invalid);
}
