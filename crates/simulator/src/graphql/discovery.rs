//! Discovery: environments with their applied and defined state, and the older queries by job.

use std::sync::LazyLock;

use apollo_compiler::Schema;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::validation::Valid;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::GraphqlRequest;
use super::execute::{execute, schema};
use super::lineage::{self, Lineage, Place};
use super::node::{arguments, refuse, resolve};
use crate::call::Caller;
use crate::runs::{Phase, Run};
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

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

/// A `BigInt` comes as a number or as text.
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
        let number = |name: &str| environment.get(name).and_then(Value::as_i64).unwrap_or_default();
        let over = |run: &&Run| matches!(run.phase(self.now), Phase::Success | Phase::Error);
        let in_place = |run: &&Run| run.environment_id == number("id");
        let run = account.runs.values().rev().filter(over).find(in_place);
        let place = Place {
            account_id: account.id,
            project_id: number("project_id"),
            environment_id: number("id"),
            run,
            now: self.now,
        };
        let Lineage {
            models,
            tests,
            sources,
            seeds,
            exposures,
            metrics,
        } = lineage::of(&place);
        let counts = json!({ "model": models.len(), "test": tests.len(), "source": sources.len(), "seed": seeds.len(), "exposure": exposures.len() });
        let updated = run.and_then(|run| run.ends_at).map(stamp::zulu);
        Ok(json!({
            "id": number("id"),
            "dbtProjectName": "acme_shop",
            "dbtProjectVersion": "1.0.0",
            "adapterType": "postgres",
            "definition": { "lastUpdatedAt": updated, "models": models, "tests": tests, "sources": sources, "metrics": metrics },
            "applied": {
                "lastUpdatedAt": updated,
                "latestGitSha": run.map(Run::git_sha),
                "resourceCounts": counts,
                "models": models,
                "tests": tests,
                "sources": sources,
                "seeds": seeds,
                "exposures": exposures,
            },
        }))
    }

    /// What a run of a job left; the latest that is over unless one is named.
    fn job(&self, job_id: Option<i64>, run_id: Option<i64>) -> Result<Value, FieldError> {
        let (account, job) = self.find(Kind::Jobs, job_id, "job")?;
        let number = |name: &str| job.get(name).and_then(Value::as_i64).unwrap_or_default();
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
        let place = Place {
            account_id: account.id,
            project_id: number("project_id"),
            environment_id: number("environment_id"),
            run,
            now: self.now,
        };
        let Lineage {
            models,
            tests,
            sources,
            seeds,
            exposures,
            metrics,
        } = lineage::of(&place);
        let run_id = run.map(|run| run.id);
        let singles = json!({ "model": models, "test": tests, "source": sources });
        let mut value = json!({ "id": number("id"), "runId": run_id, "models": models, "tests": tests, "sources": sources, "seeds": seeds, "exposures": exposures, "metrics": metrics });
        if let (Value::Object(value), Value::Object(singles)) = (&mut value, singles) {
            value.extend(singles);
        }
        Ok(value)
    }
}
