//! The Discovery API: environments with their applied and defined state, and the older queries by job.

use std::sync::LazyLock;

use apollo_compiler::Schema;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::validation::Valid;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::execute::{execute, schema};
use super::lineage::{self, Scope};
use super::node::{arguments, refuse, resolve};
use super::request::GraphqlRequest;
use crate::call::Caller;
use crate::document::{Doc, Fields as _};
use crate::runs::{Phase, Run};
use crate::stamp;
use crate::world::{Account, Kind, World};

static SCHEMA: LazyLock<Valid<Schema>> =
    LazyLock::new(|| schema(include_str!("discovery.graphql"), "discovery.graphql"));

pub(super) fn answer(world: &World, caller: &Caller, request: &GraphqlRequest, now: DateTime<Utc>) -> Value {
    execute(&SCHEMA, request, &Root { world, caller, now })
}

struct Root<'w> {
    world: &'w World,
    caller: &'w Caller,
    now: DateTime<Utc>,
}

/// Reads a `BigInt`, which is a number or a text.
fn id(arguments: &serde_json::Map<String, Value>, name: &str) -> Option<i64> {
    let value = arguments.get(name)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl ObjectValue for Root<'_> {
    fn type_name(&self) -> &'static str {
        "Query"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = arguments(info);
        let value = match info.field_name() {
            "environment" => self.environment(id(&arguments, "id"))?,
            "job" => self.job(id(&arguments, "id"), id(&arguments, "runId"))?,
            "model" => self.job(id(&arguments, "jobId"), id(&arguments, "runId"))?["models"].clone(),
            list => self.job(id(&arguments, "jobId"), id(&arguments, "runId"))?[list].clone(),
        };
        resolve(value, info)
    }
}

impl Root<'_> {
    fn find(&self, kind: Kind, id: Option<i64>, what: &str) -> Result<(&Account, &Doc), FieldError> {
        let id = id.ok_or_else(|| refuse(format!("{what} must be a number")))?;
        let mut accounts = self.world.accounts_of(self.caller);
        let found = accounts.find_map(|account| Some((account, account.find(kind, id).ok()?)));
        found.ok_or_else(|| refuse(format!("No {what} {id}, or no permission to read it.")))
    }

    fn environment(&self, id: Option<i64>) -> Result<Value, FieldError> {
        let (account, environment) = self.find(Kind::Environments, id, "environment")?;
        let number = |name: &str| environment.int(name).unwrap_or_default();
        let over = |run: &&Run| matches!(run.phase(self.now), Phase::Success | Phase::Error);
        let in_environment = |run: &&Run| run.environment_id == number("id");
        let run = account.runs.values().rev().filter(over).find(in_environment);
        let scope = Scope {
            account_id: account.id,
            project_id: number("project_id"),
            environment_id: number("id"),
            run,
            now: self.now,
        };
        let nodes = lineage::of(&scope);
        let counts = json!({ "model": nodes.models.len(), "test": nodes.tests.len(), "source": nodes.sources.len(), "seed": nodes.seeds.len(), "exposure": nodes.exposures.len() });
        let updated = run.and_then(|run| run.ends_at).map(stamp::zulu);
        Ok(json!({
            "id": number("id"),
            "dbtProjectName": "acme_shop",
            "dbtProjectVersion": "1.0.0",
            "adapterType": "postgres",
            "definition": { "lastUpdatedAt": updated, "models": nodes.models, "tests": nodes.tests, "sources": nodes.sources, "metrics": nodes.metrics },
            "applied": {
                "lastUpdatedAt": updated,
                "latestGitSha": run.map(Run::git_sha),
                "resourceCounts": counts,
                "models": nodes.models,
                "tests": nodes.tests,
                "sources": nodes.sources,
                "seeds": nodes.seeds,
                "exposures": nodes.exposures,
            },
        }))
    }

    /// The nodes after a run of a job, by default after the latest finished one.
    fn job(&self, job_id: Option<i64>, run_id: Option<i64>) -> Result<Value, FieldError> {
        let (account, job) = self.find(Kind::Jobs, job_id, "job")?;
        let number = |name: &str| job.int(name).unwrap_or_default();
        let over =
            |run: &&Run| run.job_id == number("id") && matches!(run.phase(self.now), Phase::Success | Phase::Error);
        let run = account
            .runs
            .values()
            .rev()
            .filter(over)
            .find(|run| run_id.is_none_or(|id| run.id == id));
        if let (Some(id), None) = (run_id, run) {
            return Err(refuse(format!("No run {id} of this job has results.")));
        }
        let scope = Scope {
            account_id: account.id,
            project_id: number("project_id"),
            environment_id: number("environment_id"),
            run,
            now: self.now,
        };
        let nodes = lineage::of(&scope);
        let run_id = run.map(|run| run.id);
        let singles = json!({ "model": nodes.models, "test": nodes.tests, "source": nodes.sources });
        let mut value = json!({ "id": number("id"), "runId": run_id, "models": nodes.models, "tests": nodes.tests, "sources": nodes.sources, "seeds": nodes.seeds, "exposures": nodes.exposures, "metrics": nodes.metrics });
        if let (Value::Object(value), Value::Object(singles)) = (&mut value, singles) {
            value.extend(singles);
        }
        Ok(value)
    }
}
