//! Headers: what an answer carries is in the document, and what the document calls required is in every answer.

use model::Role;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use simulator::Fault;

use super::{assert_valid, names};
use crate::support::{Answer, Operation, TestApp, document, operations, resolved};

/// Those of every answer, which `docs/security.md` describes, and those of HTTP itself.
const OF_EVERY_ANSWER: [&str; 10] = [
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "transfer-encoding",
    "x-content-type-options",
    "x-frame-options",
];

/// Fails for a header of the answer that its documented response lacks or whose schema its value does not fit, and for one
/// that is required and missing.
pub(super) fn assert_documented(document: &Value, operation: &Operation, answer: &Answer) {
    let place = format!("{} {}", operation.id, answer.status);
    let response = resolved(document, &operation.spec["responses"][answer.status.as_str()]);
    let documented = &response["headers"];
    for (name, value) in &answer.headers {
        let header = resolved(document, &documented[name.as_str()]);
        if header.is_null() {
            assert!(
                OF_EVERY_ANSWER.contains(&name.as_str()),
                "{place} does not document {name}"
            );
            continue;
        }
        let text = value.to_str().unwrap();
        let is_number = header["schema"]["type"] == "integer";
        let value = if is_number {
            serde_json::from_str(text).unwrap()
        } else {
            json!(text)
        };
        assert_valid(document, &header["schema"], &value);
    }
    for (name, header) in documented.as_object().into_iter().flatten() {
        let is_missing = !answer.headers.contains_key(name);
        let is_required = resolved(document, header)["required"] == true;
        assert!(!(is_required && is_missing), "{place} requires {name}");
    }
}

#[test]
fn every_header_is_described_and_its_example_fits() {
    let document = document();
    let mut seen = 0;
    for operation in operations() {
        for (status, response) in operation.spec["responses"].as_object().unwrap() {
            let headers = resolved(&document, response)["headers"].as_object();
            for (name, header) in headers.into_iter().flatten() {
                let header = resolved(&document, header);
                let place = format!("{} {status} {name}", operation.id);
                assert!(
                    header["description"].as_str().is_some_and(|text| !text.is_empty()),
                    "{place}"
                );
                if !header["example"].is_null() {
                    assert_valid(&document, &header["schema"], &header["example"]);
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

#[tokio::test]
async fn a_time_to_wait_is_taken_where_dbt_is_asked_and_only_in_its_range() {
    let app = TestApp::start().await;
    let names = names(&app, 0).await;
    let (mut with, mut without) = (0, 0);
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let parameter = operation.parameters().find(|each| each["name"] == "request-timeout");
        let asks_dbt = operation.request_type().is_some_and(|it| it.client_type().is_some());
        assert_eq!(parameter.is_some(), asks_dbt, "{}", operation.id);
        let Some(parameter) = parameter else {
            without += 1;
            continue;
        };
        let number = |name: &str| parameter["schema"][name].as_u64().unwrap();
        let (least, most) = (number("minimum"), number("maximum"));
        let caller = app.caller(Role::Admin);
        let address = operation.address(&names);
        for (seconds, is_taken) in [(least - 1, false), (most, true), (most + 1, false)] {
            let request = caller.request(operation.method.clone(), &address);
            let answer = caller.send(request.header("Request-Timeout", seconds)).await;
            if is_taken {
                assert!(answer.status.is_success(), "{} {seconds}: {answer:#?}", operation.id);
            } else {
                answer.problem(400, "invalid-request");
                assert_documented(&document(), operation, &answer);
            }
        }
        with += 1;
    }
    assert!(with > 15 && without > 5, "{with} {without}");
}

/// Failures of dbt Cloud, at every operation that reads from it; the last ones are answered by the gateway itself.
#[tokio::test]
async fn the_headers_of_problems_from_dbt_are_documented() {
    let app = TestApp::start().await;
    let document = document();
    let names = names(&app, 0).await;
    let (mut problems, mut waits) = (0, 0);
    for status in [400, 404, 429] {
        app.dbt.clear_faults();
        app.dbt
            .add_fault(Fault::everywhere().status(status).header("retry-after", "7"));
        for operation in operations().iter().filter(|operation| operation.method == "GET") {
            if operation.request_type().is_none_or(|it| it.client_type().is_none()) {
                continue;
            }
            let answer = app.caller(Role::Admin).get(&operation.address(&names)).await;
            assert_documented(&document, operation, &answer);
            problems += usize::from(!answer.status.is_success());
            waits += usize::from(answer.headers.contains_key(RETRY_AFTER));
        }
    }
    assert!(problems > 40 && waits > 15, "{problems} {waits}");
}
