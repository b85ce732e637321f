//! The operations of the OpenAPI document, each with a request that succeeds. A test that walks over all of them covers a
//! new operation as soon as it is added: ids come from its list, bodies and required parameters from its examples.

use std::collections::BTreeMap;
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

/// The things that requests name.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) account: i64,
    pub(crate) project: i64,
    pub(crate) job: i64,
    pub(crate) run: i64,
    /// A run that can be cancelled.
    pub(crate) running_run: i64,
    /// A run that can be retried.
    pub(crate) failed_run: i64,
    /// A credential that there is.
    pub(crate) credential: String,
    pub(crate) api_key: i64,
    /// A request on record.
    pub(crate) request_uuid: String,
    /// A name that is not in use.
    pub(crate) unused_name: String,
    /// The ids of everything else in paths, by parameter: see [`other_ids`].
    pub(crate) other_ids: BTreeMap<String, i64>,
}

/// The parameters of paths that [`Names`] has a field for.
const NAMED: [&str; 9] = [
    "account_id",
    "api_key_id",
    "environment_id",
    "job_id",
    "name",
    "path",
    "project_id",
    "request_uuid",
    "run_id",
];

/// The other ids in paths, each with the path of its list.
fn other_id_parameters() -> BTreeMap<String, String> {
    let parameter = |operation: Operation| {
        let (list, rest) = operation.path.split_once("/{")?;
        let parameter = rest.split('}').next()?;
        (!NAMED.contains(&parameter)).then(|| (parameter.to_owned(), list.to_owned()))
    };
    operations().into_iter().filter_map(parameter).collect()
}

/// For each other id in a path, that of the first entry of its list; 1 if the account has none.
pub(crate) async fn other_ids(app: &TestApp, account: i64) -> BTreeMap<String, i64> {
    let mut ids = BTreeMap::new();
    for (parameter, list) in other_id_parameters() {
        let list = app.viewer().get(&format!("{list}?account_id={account}")).await;
        let id = list.expect(200)["results"][0]["id"].as_i64();
        ids.insert(parameter, id.unwrap_or(1));
    }
    ids
}

/// Ids that need not exist.
pub(crate) fn invented_ids() -> BTreeMap<String, i64> {
    other_id_parameters()
        .into_keys()
        .map(|parameter| (parameter, 1))
        .collect()
}

/// The address with one more query parameter.
pub(crate) fn with_parameter(address: &str, parameter: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{parameter}")
}

/// Two new runs of the simulator's first account: one in progress, and one that failed and can be retried.
pub(crate) async fn running_and_failed_run(app: &TestApp) -> (i64, i64) {
    let start = async |job: i64, order: Value| {
        let path = format!("/jobs/{job}/runs?account_id={}", acme::ACCOUNT_ID);
        let run = app.operator().post(&path, &order).await;
        run.expect(201)["id"].as_i64().unwrap()
    };
    let failed = start(acme::FAILING_JOB_ID, json!({"cause": "fails"})).await;
    app.dbt.advance(Duration::from_mins(2));
    // A CI run takes no other's turn.
    let running = json!({"cause": "runs on", "github_pull_request_id": 1});
    (start(acme::SLOW_JOB_ID, running).await, failed)
}

/// Every operation, in the document's order.
pub(crate) fn operations() -> Vec<Operation> {
    let document = server::document();
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
    /// Its parameters.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Value> {
        self.spec["parameters"].as_array().into_iter().flatten()
    }

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

    /// The path with these names, and the required query parameters.
    ///
    /// Panics where there is no value for a parameter.
    pub(crate) fn address(&self, names: &Names) -> String {
        // A deleted job is gone, so take another one each time.
        let job = match self.id.as_str() {
            "delete_job" => acme::FIRST_STORE_JOB_ID + SPARE_JOBS.fetch_add(1, Ordering::Relaxed),
            _ => names.job,
        };
        let run = match self.id.as_str() {
            "cancel_run" => names.running_run,
            "retry_run" => names.failed_run,
            _ => names.run,
        };
        let mut filled = self
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
        for (parameter, id) in &names.other_ids {
            filled = filled.replace(&format!("{{{parameter}}}"), &id.to_string());
        }
        assert!(!filled.contains('{'), "{}: no value for {filled}", self.id);
        if self.id == "wait_for_run" {
            filled = with_parameter(&filled, "timeout_seconds=1");
        }
        let parameters = self.spec["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|each| each["in"] == "query" && each["required"] == true) {
            let name = parameter["name"].as_str().unwrap();
            let value = match name {
                "project_id" => json!(names.project),
                _ => parameter["example"].clone(),
            };
            filled = with_parameter(&filled, &format!("{name}={}", value.to_string().trim_matches('"')));
        }
        filled
    }

    /// A body with these names, if the operation takes one: the documented example, unless it needs real ids.
    pub(crate) fn body(&self, names: &Names) -> Option<Value> {
        if self.spec["requestBody"].is_null() {
            return None;
        }
        Some(match self.id.as_str() {
            "create_job" => json!({
                "name": names.unused_name, "project_id": names.project, "environment_id": acme::PRODUCTION_ENVIRONMENT_ID,
            }),
            "query_metadata" => json!({"query": "query ($id: BigInt!) { job(id: $id) { models { name } } }",
                "variables": {"id": names.job}}),
            "query_semantic_layer" => json!({"query": "query ($id: BigInt!) { metrics(environmentId: $id) { name } }",
                "variables": {"id": simulator::acme::PRODUCTION_ENVIRONMENT_ID}}),
            "create_credential" => json!({
                "name": names.unused_name, "account_id": names.account, "token": "dbtc_of_every_operation",
                "access_url": "dbt.acme.example",
            }),
            "update_credential" => json!({"is_default": true}),
            "create_api_key" => json!({"name": names.unused_name, "role": "viewer"}),
            _ => documented_example(&self.spec["requestBody"]["content"]["application/json"]["schema"]),
        })
    }

    /// Sends the request to that address.
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

/// The document that the server serves.
pub(crate) fn document() -> Value {
    server::document()
}

/// Follows a `$ref` within the document.
pub(crate) fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The example of a schema, or the one that its fields and entries make, as the explorer shows it.
pub(crate) fn example_of(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if schema["format"] == "binary" {
        return json!("the file");
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts
            .iter()
            .filter_map(|part| example_of(document, part).as_object().cloned());
        return parts.flatten().collect();
    }
    if let Some(fields) = schema["properties"].as_object() {
        let example = |(name, field): (&String, &Value)| (name.clone(), example_of(document, field));
        return fields.iter().map(example).collect();
    }
    assert!(!schema["items"].is_null(), "no example: {schema:#}");
    json!([example_of(document, &schema["items"])])
}

fn documented_example(schema: &Value) -> Value {
    example_of(&document(), schema)
}
