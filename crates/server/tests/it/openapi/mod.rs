//! The OpenAPI document: what it says is what is served.

mod exact;
mod headers;
mod links;
mod texts;
mod words;

use std::collections::BTreeSet;

use model::{Effect, RequestType, Role};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use simulator::acme;

use crate::support::{
    Answer, Names, Operation, SERVICE, TestApp, document, example_of, operations, other_ids, resolved,
    running_and_failed_run, with_parameter,
};

fn assert_valid(document: &Value, schema: &Value, instance: &Value) {
    let mut root = schema.clone();
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    if schema.to_string().contains("$ref") {
        root["components"]["schemas"] = document["components"]["schemas"].clone();
    }
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

/// A schema allows other fields; the gateway's answers have exactly the documented ones.
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

/// A file's answer is documented as of any type.
const ANY: &str = "*/*";

fn assert_documented(document: &Value, operation: &Operation, answer: &Answer) {
    if let Some(line) = content(document, operation, answer).get("x-item-schema") {
        for body in answer.bodies() {
            assert_valid(document, line, &body);
        }
        return;
    }
    let schema = documented(document, operation, answer);
    if schema.is_null() || resolved(document, schema)["format"] == "binary" {
        return;
    }
    let is_text = resolved(document, schema)["type"] == "string";
    let bodies = if is_text {
        vec![json!(answer.text)]
    } else {
        answer.bodies()
    };
    for body in bodies {
        assert_valid(document, schema, &body);
    }
}

/// The documented content of an answer with that status.
fn documented<'a>(document: &'a Value, operation: &'a Operation, answer: &Answer) -> &'a Value {
    &content(document, operation, answer)["schema"]
}

fn content<'a>(document: &'a Value, operation: &'a Operation, answer: &Answer) -> &'a Value {
    let response = resolved(document, &operation.spec["responses"][answer.status.as_str()]);
    let media_type = answer.header(CONTENT_TYPE).unwrap();
    let content = &response["content"];
    content.get(media_type).or(content.get(ANY)).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let app = TestApp::start().await;
    let served = app.without_key().get("/openapi.json").await.expect(200);
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
    for operation in operations() {
        let Operation {
            id,
            path,
            spec: operation,
            ..
        } = operation;
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
        let open = operation["security"][0] == json!({});
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
    for Operation {
        id, spec: operation, ..
    } in operations()
    {
        let mut examples = 0;
        let responses = operation["responses"].as_object().unwrap().values();
        let bodies = responses
            .map(|response| resolved(&document, response))
            .chain([&operation["requestBody"]])
            .filter(|body| !body["content"].is_null());
        for content in bodies.flat_map(|body| body["content"].as_object().unwrap().values()) {
            let schema = &content["schema"];
            let is_file = schema.is_null() || resolved(&document, schema)["format"] == "binary";
            examples += 1;
            // A problem has several, each of which another test checks.
            if is_file || content["examples"].is_object() {
                continue;
            }
            assert_valid(&document, schema, &content["example"]);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = &parameter["schema"];
            for example in [&parameter["example"], &schema["example"], &schema["default"]] {
                if !example.is_null() {
                    assert_valid(&document, schema, example);
                }
            }
        }
        assert!(examples > 0, "{id} has no body at all");
    }
}

#[test]
fn every_operation_lists_its_problems_by_status_and_every_answer_its_headers() {
    let document = document();
    let mut problems = 0;
    for operation in operations() {
        let responses = operation.spec["responses"].as_object().unwrap();
        assert!(!responses.contains_key("default"), "{}", operation.id);
        for (status, response) in responses {
            let shared = response["$ref"].is_string();
            let response = resolved(&document, response);
            let description = &resolved(&document, &response["headers"]["x-request-id"])["description"];
            assert!(description.is_string(), "{} {status}", operation.id);
            if status.starts_with('2') {
                continue;
            }
            problems += 1;
            let text = response["description"].as_str().unwrap_or_default();
            assert!(
                !text.is_empty(),
                "{} {status} is not described: {response:#}",
                operation.id
            );
            if shared {
                let schema = &response["content"]["application/problem+json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{status}");
                let waits = ["429", "502", "503", "504"].contains(&status.as_str());
                assert_eq!(response["headers"]["retry-after"].is_object(), waits, "{status}");
            }
        }
        let mut expected = vec!["500", "503"];
        let request_type = operation.request_type();
        if let Some(request_type) = request_type {
            expected.extend(["400", "401", "429"]);
            if request_type.client_type().is_some() {
                expected.extend(["404", "422", "502", "504"]);
            }
            if request_type.effect() == Effect::Change || request_type.needs() > Role::Viewer {
                expected.push("403");
            }
        }
        for status in expected {
            assert!(responses.contains_key(status), "{} lists no {status}", operation.id);
        }
    }
    assert!(problems > 200, "{problems}");
}

/// The things that the operations of company 1 name: a credential and a key are created, to be changed and deleted.
async fn names(app: &TestApp, round: usize) -> Names {
    let admin = app.caller(Role::Admin);
    let credential = format!("round-{round}");
    let order = json!({
        "name": credential, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url(),
    });
    admin.post("/credentials", &order).await.expect(201);
    let key = json!({"name": "to be revoked", "role": "viewer"});
    let key = admin.post("/api-keys", &key).await.expect(201);
    let request_uuid = admin.get("/projects").await.request_uuid();
    let (running_run, failed_run) = running_and_failed_run(app).await;
    Names {
        account: acme::ACCOUNT_ID,
        project: acme::PROJECT_ID,
        job: acme::NIGHTLY_JOB_ID,
        run: acme::FAILED_RUN_ID,
        running_run,
        failed_run,
        credential,
        api_key: key["id"].as_i64().unwrap(),
        request_uuid,
        unused_name: format!("another-{round}"),
        other_ids: other_ids(app, acme::ACCOUNT_ID).await,
    }
}

/// Sends every operation of the document.
#[tokio::test]
async fn every_operation_answers_as_documented() {
    let app = TestApp::start().await;
    let document = document();
    for (round, operation) in operations().iter().enumerate() {
        let name = operation.id.as_str();
        let names = names(&app, round).await;
        let place = operation.address(&names);
        let caller = match operation.request_type() {
            Some(_) => app.caller(Role::Admin),
            None => app.without_key(),
        };
        let answer = operation.ask(&caller, &place, &names).await;
        let responses = operation.spec["responses"].as_object().unwrap();
        let success = answer.status.as_str();
        let is_documented = success.starts_with('2') && responses.contains_key(success);
        assert!(is_documented, "{name}: {answer:#?}");
        if success == "204" {
            assert_eq!(
                (answer.text.as_str(), answer.header(CONTENT_TYPE)),
                ("", None),
                "{name}"
            );
        } else {
            assert_documented(&document, operation, &answer);
        }
        headers::assert_documented(&document, operation, &answer);
        let Some(request_type) = operation.request_type() else {
            continue;
        };
        if request_type.client_type().is_none() && request_type.effect() == Effect::Read {
            assert!(
                !app.has_row(&answer).await,
                "{name}: reads of our own records have no row"
            );
        } else {
            let row = app.closed_row(&answer.request_uuid()).await;
            assert_eq!(row["request_type"], name);
            assert_eq!(row["template"], operation.path);
            assert_eq!(row["outcome"], "succeeded");
        }

        let stranger = operation.ask(&app.without_key(), &place, &names).await;
        stranger.problem(401, "unauthenticated");
        headers::assert_documented(&document, operation, &stranger);
        assert_valid(&document, documented(&document, operation, &stranger), &stranger.json());
    }
}

/// The documented examples can be sent unchanged.
#[tokio::test]
async fn the_example_of_every_body_is_accepted() {
    let app = TestApp::start().await;
    // The Semantic Layer takes its time.
    app.dbt.set_time_scale(1000.0);
    let document = document();
    let names = names(&app, 0).await;
    for operation in operations() {
        let content = &operation.spec["requestBody"]["content"]["application/json"]["schema"];
        if content.is_null() {
            continue;
        }
        let example = example_of(&document, content);
        let caller = app.caller(Role::Admin);
        let mut address = operation.address(&names);
        if operation.takes("account_id") {
            // The example of a credential is for another account.
            address = with_parameter(&address, &format!("account_id={}", names.account));
        }
        let request = caller.request(operation.method.clone(), &address);
        let answer = caller.send(request.json(&example)).await;
        assert!(answer.status.is_success(), "{}: {answer:#?}", operation.id);
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
