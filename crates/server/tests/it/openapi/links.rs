//! Links: each leads from an answer to an operation that succeeds with what the answer holds.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Role;
use reqwest::Method;
use serde_json::Value;

use super::names;
use crate::support::{Names, TestApp, operations, with_parameter};

#[test]
fn every_link_names_an_operation_and_its_parameters() {
    let all: BTreeMap<_, _> = operations()
        .into_iter()
        .map(|operation| (operation.id.clone(), operation))
        .collect();
    let mut links = 0;
    for operation in all.values() {
        for (status, response) in operation.spec["responses"].as_object().unwrap() {
            for (name, link) in response["links"].as_object().into_iter().flatten() {
                let target = &all[link["operationId"].as_str().unwrap()];
                assert!(
                    status.starts_with('2') && !link["description"].as_str().unwrap().is_empty(),
                    "{name}"
                );
                let given = link["parameters"].as_object().unwrap();
                for place in given.keys() {
                    let (kind, parameter) = place.split_once('.').unwrap();
                    let takes = target
                        .parameters()
                        .any(|each| each["in"] == kind && each["name"] == parameter);
                    assert!(takes, "{} → {name}: {place}", operation.id);
                }
                for parameter in target
                    .parameters()
                    .filter(|each| each["in"] == "path" && each["name"] != "path")
                {
                    let place = format!("path.{}", parameter["name"].as_str().unwrap());
                    assert!(given.contains_key(&place), "{} → {name} lacks {place}", operation.id);
                }
                links += 1;
            }
        }
    }
    assert!(links > 40, "{links}");
    let trigger = &all["trigger_job"].spec["responses"]["201"]["links"];
    for target in ["get_run", "get_run_failure", "list_run_artifacts"] {
        assert!(trigger[target].is_object(), "a trigger does not lead to {target}");
    }
}

/// The value of `$response.body#/pointer`.
fn evaluated(expression: &Value, body: &Value) -> String {
    let pointer = expression.as_str().unwrap().strip_prefix("$response.body#").unwrap();
    let value = body
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{expression} is not in {body:#}"));
    value.to_string().trim_matches('"').to_owned()
}

#[tokio::test]
async fn the_links_of_every_answer_lead_to_what_they_name() {
    let app = TestApp::start().await;
    let all = operations();
    let mut followed = 0;
    let mut first: Option<Names> = None;
    for (round, operation) in all
        .iter()
        .filter(|operation| operation.method != Method::DELETE)
        .enumerate()
    {
        let has_links = |response: &Value| response["links"].is_object();
        if !operation.spec["responses"].as_object().unwrap().values().any(has_links) {
            continue;
        }
        let names = match (&operation.method, &first) {
            (&Method::GET, Some(first)) => first.clone(),
            _ => names(&app, round).await,
        };
        first.get_or_insert_with(|| names.clone());
        let admin = app.caller(Role::Admin);
        let answer = operation.ask(&admin, &operation.address(&names), &names).await;
        app.dbt.advance(Duration::from_mins(3));
        let links = &operation.spec["responses"][answer.status.as_str()]["links"];
        for link in links.as_object().into_iter().flatten().map(|(_, link)| link) {
            let target = all
                .iter()
                .find(|target| link["operationId"] == target.id.as_str())
                .unwrap();
            // Others change what the next link needs.
            if target.method != Method::GET {
                continue;
            }
            let (mut address, body) = (target.path.clone(), answer.json());
            for (place, expression) in link["parameters"].as_object().unwrap() {
                let value = evaluated(expression, &body);
                match place.split_once('.').unwrap() {
                    ("path", name) => address = address.replace(&format!("{{{name}}}"), &value),
                    (_, name) => address = with_parameter(&address, &format!("{name}={value}")),
                }
            }
            let led = admin.get(&address.replace("{path}", "run_results.json")).await;
            // What a cancelled run has written depends on the moment.
            let may_lack = operation.id == "cancel_run" && target.id == "list_run_artifacts" && led.status == 404;
            assert!(
                led.status.is_success() || may_lack,
                "{} → {}: {led:#?}",
                operation.id,
                target.id
            );
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed}");
}
