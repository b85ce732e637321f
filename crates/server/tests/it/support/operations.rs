//! The operations of the OpenAPI document, each of which can be asked for real: what walks over all of them covers a
//! new one on the day it is added, or fails because nobody told here how to ask for it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model::RequestType;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::acme;

use super::{Answer, Caller, TestApp};

/// How many of the jobs of Acme's big project have been deleted.
static SPARE_JOBS: AtomicI64 = AtomicI64::new(0);

/// Operations that need no key.
pub(crate) const SERVICE: [&str; 3] = ["welcome", "healthz", "readyz"];

/// An operation of the document.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    /// With its parameters in braces.
    pub(crate) path: String,
    pub(crate) spec: Value,
}

/// What an operation may be about.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) account: i64,
    pub(crate) project: i64,
    pub(crate) job: i64,
    pub(crate) run: i64,
    /// A run that can be cancelled.
    pub(crate) going_run: i64,
    /// A run that can be retried.
    pub(crate) failed_run: i64,
    /// A credential that there is.
    pub(crate) credential: String,
    pub(crate) api_key: i64,
    /// A request on record.
    pub(crate) request_uuid: String,
    /// A name that nothing has yet.
    pub(crate) free_name: String,
}

/// Two new runs of the simulator's first account: one that goes on, and one that has failed and can be retried.
pub(crate) async fn going_and_failed_run(app: &TestApp) -> (i64, i64) {
    let start = async |job: i64, order: Value| {
        let path = format!("/jobs/{job}/runs?account_id={}", acme::ACCOUNT_ID);
        let run = app.operator().post(&path, &order).await;
        run.expect(201)["id"].as_i64().unwrap()
    };
    let failed = start(acme::FAILING_JOB_ID, json!({"cause": "fails"})).await;
    app.dbt.advance(Duration::from_mins(2));
    // A CI run takes no other's turn.
    let going = json!({"cause": "goes on", "github_pull_request_id": 1});
    (start(acme::SLOW_JOB_ID, going).await, failed)
}

/// Every operation, in the document's order.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(server::document()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, spec) in item.as_object().unwrap() {
            all.push(Operation {
                id: spec["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                spec: spec.clone(),
            });
        }
    }
    all
}

/// Fails where the document has an operation for that request, but not an answer with that status.
pub(crate) fn assert_documented(method: &Method, path: &str, status: StatusCode) {
    static ALL: LazyLock<Vec<Operation>> = LazyLock::new(operations);
    let fitting = ALL
        .iter()
        .filter(|operation| operation.method == *method && operation.fits(path));
    // `/things/summary` goes before `/things/{id}`.
    let Some(operation) = fitting.min_by_key(|operation| operation.path.matches('{').count()) else {
        return;
    };
    let listed = !operation.spec["responses"][status.as_str()].is_null();
    assert!(listed, "{} does not document the answer {status}", operation.id);
}

impl Operation {
    /// Whether its template has that path.
    fn fits(&self, path: &str) -> bool {
        let (mut template, mut parts) = (self.path.split('/'), path.split('/'));
        loop {
            match (template.next(), parts.next()) {
                (None, None) => return true,
                (Some(parameter), Some(part)) if parameter.starts_with('{') => {
                    // What may hold slashes is called `path`, and ends the template.
                    if part.is_empty() {
                        return false;
                    }
                    if parameter == "{path}" {
                        return true;
                    }
                }
                (Some(fixed), Some(part)) if fixed == part => {}
                _ => return false,
            }
        }
    }

    /// What the gate calls it; `None` for what needs no key.
    pub(crate) fn request_type(&self) -> Option<RequestType> {
        let found = RequestType::from_name(&self.id);
        assert_ne!(found.is_some(), SERVICE.contains(&self.id.as_str()), "{}", self.id);
        found
    }

    /// Whether the query may hold that parameter.
    pub(crate) fn takes(&self, parameter: &str) -> bool {
        let parameters = self.spec["parameters"].as_array().into_iter().flatten();
        parameters
            .filter(|each| each["in"] == "query")
            .any(|each| each["name"] == parameter)
    }

    /// The path about those things.
    ///
    /// Panics where a parameter of the path is not known here.
    pub(crate) fn address(&self, names: &Names) -> String {
        // Deleted once and for all, so each time another one.
        let job = match self.id.as_str() {
            "delete_job" => acme::FIRST_STORE_JOB_ID + SPARE_JOBS.fetch_add(1, Ordering::Relaxed),
            _ => names.job,
        };
        let run = match self.id.as_str() {
            "cancel_run" => names.going_run,
            "retry_run" => names.failed_run,
            _ => names.run,
        };
        let filled = self
            .path
            .replace("{account_id}", &names.account.to_string())
            .replace("{project_id}", &names.project.to_string())
            .replace("{environment_id}", &acme::PRODUCTION_ENVIRONMENT_ID.to_string())
            .replace("{job_id}", &job.to_string())
            .replace("{run_id}", &run.to_string())
            .replace("{path}", "run_results.json")
            .replace("{name}", &names.credential)
            .replace("{api_key_id}", &names.api_key.to_string())
            .replace("{request_uuid}", &names.request_uuid);
        assert!(!filled.contains('{'), "{}: tell here how to fill in {filled}", self.id);
        filled
    }

    /// A body about those things, where the operation takes one.
    ///
    /// Panics where the body of an operation is not known here.
    pub(crate) fn body(&self, names: &Names) -> Option<Value> {
        if self.spec["requestBody"].is_null() {
            return None;
        }
        Some(match self.id.as_str() {
            "create_job" => json!({
                "name": names.free_name, "project_id": names.project, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
            }),
            "update_job" => json!({"description": "every operation"}),
            "trigger_job" => json!({"cause": "every operation"}),
            "query_metadata" => json!({"query": "query ($id: BigInt!) { job(id: $id) { models { name } } }",
                "variables": {"id": names.job}}),
            "query_semantic_layer" => json!({"query": "query ($id: BigInt!) { metrics(environmentId: $id) { name } }",
                "variables": {"id": simulator::acme::PRODUCTION_ENVIRONMENT_ID}}),
            "create_credential" => json!({
                "name": names.free_name, "account_id": names.account, "token": "dbtc_of_every_operation",
                "access_url": "dbt.acme.example",
            }),
            "update_credential" => json!({"is_default": true}),
            "create_api_key" => json!({"name": names.free_name, "role": "viewer"}),
            other => panic!("tell here what the body of {other} is"),
        })
    }

    /// Asks for it at that address.
    pub(crate) async fn ask(&self, caller: &Caller<'_>, address: &str, names: &Names) -> Answer {
        let request = caller.request(self.method.clone(), address);
        caller
            .send(match self.body(names) {
                Some(body) => request.json(&body),
                None => request,
            })
            .await
    }
}
