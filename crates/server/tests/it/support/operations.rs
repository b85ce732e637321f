//! The operations of the OpenAPI document, each of which can be asked for real: what walks over all of them covers a
//! new one on the day it is added, or fails because nobody told here how to ask for it.

use model::RequestType;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Caller};

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
    /// A credential that there is.
    pub(crate) credential: String,
    pub(crate) api_key: i64,
    /// A request on record.
    pub(crate) request_uuid: String,
    /// A name that nothing has yet.
    pub(crate) free_name: String,
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

impl Operation {
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
        let filled = self
            .path
            .replace("{account_id}", &names.account.to_string())
            .replace("{project_id}", &names.project.to_string())
            .replace("{job_id}", &names.job.to_string())
            .replace("{run_id}", &names.run.to_string())
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
            "trigger_job" => json!({"cause": "every operation"}),
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
