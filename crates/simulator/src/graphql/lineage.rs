//! The nodes of the recorded project in Discovery: their definition, dependencies, and results in a run.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::artifacts::{self, NodeResult};
use crate::runs::{Phase, Run};
use crate::stamp;

pub(super) type Nodes = Vec<Value>;

/// All nodes of a project after a run.
pub(super) struct Lineage {
    pub(super) models: Nodes,
    pub(super) tests: Nodes,
    pub(super) sources: Nodes,
    pub(super) seeds: Nodes,
    pub(super) exposures: Nodes,
    pub(super) metrics: Nodes,
}

static MANIFEST: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(artifacts::MANIFEST).unwrap_or(Value::Null));
static CATALOG: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(artifacts::CATALOG).unwrap_or(Value::Null));
static SOURCES: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(artifacts::SOURCES).unwrap_or(Value::Null));

/// The environment and run of the nodes.
pub(super) struct Scope<'a> {
    pub(super) account_id: i64,
    pub(super) project_id: i64,
    pub(super) environment_id: i64,
    /// `None` when nothing has run yet.
    pub(super) run: Option<&'a Run>,
    pub(super) now: DateTime<Utc>,
}

impl Scope<'_> {
    fn results(&self) -> BTreeMap<&'static str, &'static NodeResult> {
        let Some(run) = self.run else { return BTreeMap::new() };
        let failed = run.phase(self.now) == Phase::Error;
        let results = if failed {
            artifacts::failed_results()
        } else {
            artifacts::build_results()
        };
        results
            .iter()
            .map(|result| (result.unique_id.as_str(), result))
            .collect()
    }

    fn lineage(&self) -> Lineage {
        let results = self.results();
        let node = |id: &str, found: &Value| self.node(id, found, results.get(id).copied());
        let entries = |part: &str| MANIFEST[part].as_object().into_iter().flatten();
        let of_kind = |kind: &'static str| {
            entries("nodes")
                .filter(move |(_, found)| found["resource_type"] == kind)
                .map(|(id, found)| node(id, found))
                .collect()
        };
        Lineage {
            models: of_kind("model"),
            tests: of_kind("test"),
            seeds: of_kind("seed"),
            sources: entries("sources").map(|(id, found)| node(id, found)).collect(),
            exposures: entries("exposures").map(|(id, found)| node(id, found)).collect(),
            metrics: super::semantic_layer::METRICS
                .iter()
                .map(|metric| self.metric(metric.name, metric.description))
                .collect(),
        }
    }

    /// A node with the fields of every kind; the schema selects those of its kind.
    fn node(&self, id: &str, found: &Value, result: Option<&NodeResult>) -> Value {
        let execution = self.execution(result);
        let catalog = catalog(id);
        let columns = catalog["columns"].clone();
        let status = execution["lastRunStatus"].clone();
        let freshness = self.freshness(id);
        json!({
            "accountId": self.account_id,
            "projectId": self.project_id,
            "environmentId": self.environment_id,
            "jobId": self.run.map(|run| run.job_id),
            "runId": self.run.map(|run| run.id),
            "uniqueId": id,
            "name": found["name"],
            "alias": found["alias"],
            "label": found["label"],
            "description": found["description"],
            "resourceType": found["resource_type"],
            "packageName": found["package_name"],
            "filePath": found["original_file_path"],
            "database": found["database"],
            "schema": found["schema"],
            "identifier": found["identifier"],
            "loader": found["loader"],
            "sourceName": found["source_name"],
            "sourceDescription": found["source_description"],
            "materializedType": found["config"]["materialized"],
            "language": found["language"],
            "access": found["access"],
            "group": found["group"],
            "owner": catalog["owner"],
            "tags": found["tags"],
            "meta": found["config"]["meta"],
            "rawCode": found["raw_code"],
            "rawSql": found["raw_code"],
            "compiledCode": found["compiled_code"],
            "compiledSql": found["compiled_code"],
            "contractEnforced": found["contract"]["enforced"],
            "dbtVersion": self.run.map(|run| run.dbt_version.clone()),
            "fqn": found["fqn"],
            "columnName": found["column_name"],
            "testType": if found["test_metadata"].is_object() { "GENERIC_DATA_TEST" } else { "SINGULAR_DATA_TEST" },
            "exposureType": found["type"],
            "maturity": found["maturity"],
            "url": found["url"],
            "ownerName": found["owner"]["name"],
            "ownerEmail": found["owner"]["email"],
            "dependsOn": found["depends_on"]["nodes"],
            "parents": self.relatives("parent_map", id),
            "ancestors": self.ancestors(id),
            "children": self.children(id),
            "tests": self.tests_of(id),
            "catalog": if catalog.is_null() { Value::Null } else { catalog },
            "columns": columns,
            "freshness": freshness,
            "maxLoadedAt": freshness["maxLoadedAt"],
            "snapshottedAt": freshness["snapshottedAt"],
            "state": if found["resource_type"] == "source" { freshness["freshnessStatus"].clone() } else { status.clone() },
            "status": status,
            "error": execution["lastRunError"],
            "fail": status == "fail",
            "warn": status == "warn",
            "skip": status == "skipped",
            "executionTime": execution["executionTime"],
            "executeStartedAt": execution["executeStartedAt"],
            "executeCompletedAt": execution["executeCompletedAt"],
            "runGeneratedAt": execution["runGeneratedAt"],
            "runElapsedTime": execution["runElapsedTime"],
            "executionInfo": execution,
        })
    }

    fn execution(&self, result: Option<&NodeResult>) -> Value {
        let (Some(run), Some(result)) = (self.run, result) else {
            return Value::Null;
        };
        let good = matches!(result.status.as_str(), "success" | "pass");
        let bad = matches!(result.status.as_str(), "error" | "fail");
        let (start, end) = (run.started_at.map(stamp::zulu), run.ends_at.map(stamp::zulu));
        json!({
            "lastRunId": run.id,
            "lastRunStatus": result.status,
            "lastRunError": bad.then(|| result.message.clone()),
            "lastRunGeneratedAt": end,
            "lastJobDefinitionId": run.job_id,
            "lastSuccessJobDefinitionId": good.then_some(run.job_id),
            "lastSuccessRunId": good.then_some(run.id),
            "runGeneratedAt": end,
            "runElapsedTime": result.seconds,
            "executeStartedAt": start,
            "executeCompletedAt": end,
            "executionTime": result.seconds,
        })
    }

    fn freshness(&self, id: &str) -> Value {
        let results = SOURCES["results"].as_array();
        let Some(found) = results.into_iter().flatten().find(|row| row["unique_id"] == id) else {
            return Value::Null;
        };
        json!({
            "maxLoadedAt": found["max_loaded_at"],
            "snapshottedAt": found["snapshotted_at"],
            "maxLoadedAtTimeAgoInS": found["max_loaded_at_time_ago_in_s"],
            "freshnessStatus": found["status"],
            "freshnessChecked": true,
            "freshnessRunGeneratedAt": self.run.and_then(|run| run.ends_at).map(stamp::zulu),
            "freshnessJobDefinitionId": self.run.map(|run| run.job_id),
            "freshnessRunId": self.run.map(|run| run.id),
        })
    }

    fn nested(&self, id: &str) -> Option<Value> {
        let kind = id.split('.').next()?;
        let (part, type_name) = match kind {
            "model" => ("nodes", "ModelAppliedStateNestedNode"),
            "seed" => ("nodes", "SeedAppliedStateNestedNode"),
            "test" => ("nodes", "TestNestedNode"),
            "source" => ("sources", "SourceAppliedStateNestedNode"),
            "exposure" => ("exposures", "ExposureNestedNode"),
            _ => return None,
        };
        let found = &MANIFEST[part][id];
        let result = self.results().get(id).copied();
        Some(json!({
            "__type": type_name,
            "uniqueId": id,
            "name": found["name"],
            "alias": found["alias"],
            "label": found["label"],
            "resourceType": kind,
            "sourceName": found["source_name"],
            "columnName": found["column_name"],
            "executionInfo": self.execution(result),
            "freshness": self.freshness(id),
        }))
    }

    fn relatives(&self, map: &str, id: &str) -> Value {
        ids(map, id).filter_map(|other| self.nested(other)).collect()
    }

    fn children(&self, id: &str) -> Value {
        ids("child_map", id)
            .filter(|other| !other.starts_with("test."))
            .filter_map(|other| self.nested(other))
            .collect()
    }

    fn tests_of(&self, id: &str) -> Value {
        ids("child_map", id)
            .filter(|other| other.starts_with("test."))
            .filter_map(|other| self.nested(other))
            .collect()
    }

    fn ancestors(&self, id: &str) -> Value {
        let mut found: Vec<&str> = Vec::new();
        let mut left: Vec<&str> = ids("parent_map", id).collect();
        while let Some(next) = left.pop() {
            if !found.contains(&next) {
                found.push(next);
                left.extend(ids("parent_map", next));
            }
        }
        found.sort_unstable();
        found.into_iter().filter_map(|other| self.nested(other)).collect()
    }

    fn metric(&self, name: &str, description: &str) -> Value {
        json!({
            "accountId": self.account_id,
            "projectId": self.project_id,
            "environmentId": self.environment_id,
            "jobId": self.run.map(|run| run.job_id),
            "runId": self.run.map(|run| run.id),
            "uniqueId": format!("metric.acme_shop.{name}"),
            "name": name,
            "label": name.replace('_', " "),
            "description": description,
            "resourceType": "metric",
            "packageName": "acme_shop",
            "type": "simple",
            "calculation_method": "sum",
            "expression": "amount",
            "timestamp": "ordered_at",
            "timeGrains": ["day", "week", "month"],
            "dimensions": ["order__status"],
            "filters": [],
            "model": null,
            "dependsOn": ["model.acme_shop.stg_orders"],
            "tags": [],
            "meta": {},
        })
    }
}

fn ids(map: &str, id: &str) -> impl Iterator<Item = &'static str> + use<> {
    let found = MANIFEST[map][id].as_array();
    found.into_iter().flatten().filter_map(Value::as_str)
}

fn catalog(id: &str) -> Value {
    let found = [&CATALOG["nodes"][id], &CATALOG["sources"][id]]
        .into_iter()
        .find(|found| found.is_object());
    let Some(found) = found else { return Value::Null };
    let columns = found["columns"].as_object().into_iter().flatten().map(|(name, column)| {
        let described = &MANIFEST["nodes"][id]["columns"][name]["description"];
        json!({ "name": name, "index": column["index"], "type": column["type"], "comment": column["comment"], "description": described, "tags": [], "meta": {} })
    });
    let columns: Vec<Value> = columns.collect();
    let stats: Vec<Value> = found["stats"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, stat)| stat.clone())
        .collect();
    json!({
        "owner": found["metadata"]["owner"],
        "type": found["metadata"]["type"],
        "comment": found["metadata"]["comment"],
        "columns": columns,
        "stats": stats,
        "runGeneratedAt": CATALOG["metadata"]["generated_at"],
    })
}

/// The nodes of a scope.
pub(super) fn of(scope: &Scope<'_>) -> Lineage {
    scope.lineage()
}
