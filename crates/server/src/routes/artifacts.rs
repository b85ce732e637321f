//! Artifacts: the files that a run leaves behind.

use axum::response::Response;
use model::{AccountId, ArtifactStep, JobId, RunId, Target};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::extract::{Dbt, Id, IdAndArtifact, QueryParams, excerpt};
use crate::json::Json;
use crate::problem::Problem;
use crate::streamed::{self, FileHeaders};

/// Paths of artifacts below `target/`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(["manifest.json", "run_results.json"]))]
pub(crate) struct ArtifactPaths(Vec<String>);

/// A file, byte for byte, of the type that dbt Cloud gives it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "for the document alone")]
pub(crate) struct ArtifactFile(Vec<u8>);

/// Of which step of the run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArtifactQuery {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// The step of the run: its number, from 1, or `results`: the last step that built (`dbt build`, `run`, `test`, `seed`,
    /// `snapshot`, `retry`), which the gateway looks up. Without it dbt Cloud takes the last step, often
    /// `dbt docs generate`, whose `run_results.json` says nothing of the build.
    #[serde(default, deserialize_with = "step")]
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]*|results)$", example = "results")]
    step: Option<ArtifactStep>,
}

fn step<'de, D: Deserializer<'de>>(parameter: D) -> Result<Option<ArtifactStep>, D::Error> {
    let text = String::deserialize(parameter)?;
    let invalid = |error| D::Error::custom(format_args!("`{}`: {error}", excerpt(&text)));
    text.parse().map(Some).map_err(invalid)
}

impl ArtifactQuery {
    fn split(self) -> (Target, Option<ArtifactStep>) {
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        (target, self.step)
    }
}

/// List the artifacts of a run
///
/// Their paths below `target/`. An empty list where the run has none.
#[utoipa::path(get, path = "/runs/{run_id}/artifacts", operation_id = "list_run_artifacts", tag = "artifacts",
    params(("run_id" = i64, Path, description = "The run's id."), ArtifactQuery),
    responses((status = 200, body = ArtifactPaths)))]
pub(crate) async fn list_run_artifacts(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(query): QueryParams<ArtifactQuery>,
) -> Result<Json<ArtifactPaths>, Problem> {
    let (target, step) = query.split();
    Ok(Json(ArtifactPaths(client.list_run_artifacts(target, run, step).await?)))
}

/// Download an artifact of a run
///
/// Streamed as dbt Cloud sends it, whatever its size and type. `Range`, the conditions (`If-None-Match`, …) and
/// `Accept-Encoding` are passed on. Where dbt Cloud breaks off, so does the connection.
#[utoipa::path(get, path = "/runs/{run_id}/artifacts/{*path}", operation_id = "get_run_artifact", tag = "artifacts",
    params(("run_id" = i64, Path, description = "The run's id."),
        ("path" = String, Path, description = "The artifact's path below `target/`, slashes included.", example = "run_results.json"),
        ArtifactQuery),
    responses((status = 200, description = "The file.", body = ArtifactFile, content_type = "*/*"),
        (status = 206, description = "The part that `Range` asked for.", body = ArtifactFile, content_type = "*/*"),
        (status = 304, description = "The caller has the file already, by `If-None-Match` or `If-Modified-Since`."),
        (status = 412, description = "The file has changed, by `If-Match` or `If-Unmodified-Since`."),
        (status = 416, description = "The file has no such part.")))]
pub(crate) async fn get_run_artifact(
    Dbt(client): Dbt,
    IdAndArtifact(run, path): IdAndArtifact<RunId>,
    FileHeaders(headers): FileHeaders,
    QueryParams(query): QueryParams<ArtifactQuery>,
) -> Result<Response, Problem> {
    let (target, step) = query.split();
    let answer = client.get_run_artifact(target, run, path, step, headers).await?;
    Ok(streamed::response(answer))
}

/// Download the latest artifact of a job
///
/// Of the job's latest run that has one of that path, as `GET /runs/{run_id}/artifacts/{path}` downloads it. With `step`,
/// of the job's latest run that has succeeded or failed, which the gateway looks up: dbt Cloud itself has no step here.
#[utoipa::path(get, path = "/jobs/{job_id}/artifacts/{*path}", operation_id = "get_job_artifact", tag = "artifacts",
    params(("job_id" = i64, Path, description = "The job's id."),
        ("path" = String, Path, description = "The artifact's path below `target/`, slashes included.", example = "manifest.json"),
        ArtifactQuery),
    responses((status = 200, description = "The file.", body = ArtifactFile, content_type = "*/*"),
        (status = 206, description = "The part that `Range` asked for.", body = ArtifactFile, content_type = "*/*"),
        (status = 304, description = "The caller has the file already, by `If-None-Match` or `If-Modified-Since`."),
        (status = 412, description = "The file has changed, by `If-Match` or `If-Unmodified-Since`."),
        (status = 416, description = "The file has no such part.")))]
pub(crate) async fn get_job_artifact(
    Dbt(client): Dbt,
    IdAndArtifact(job, path): IdAndArtifact<JobId>,
    FileHeaders(headers): FileHeaders,
    QueryParams(query): QueryParams<ArtifactQuery>,
) -> Result<Response, Problem> {
    let (target, step) = query.split();
    let answer = client.get_job_artifact(target, job, path, step, headers).await?;
    Ok(streamed::response(answer))
}
