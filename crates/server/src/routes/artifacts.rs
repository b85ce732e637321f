//! Artifacts: the files that a run writes.

use axum::response::Response;
use model::{ArtifactStep, JobId, RunId, excerpt};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, IntoResponses, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, Id, IdAndArtifact, ScopedQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::state::Shared;
use crate::streamed::{self, FileHeaders};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_run_artifacts))
        .routes(routes!(get_run_artifact))
        .routes(routes!(get_job_artifact))
}

/// Paths of artifacts below `target/`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(["manifest.json", "run_results.json"]))]
struct ArtifactPaths(Vec<String>);

/// A file, byte for byte, with the media type from dbt Cloud.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "for the document alone")]
struct ArtifactFile(Vec<u8>);

/// The step of the run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StepQuery {
    /// The step of the run: its number, from 1, or `results`: the last step that built (`dbt build`, `run`, `test`, `seed`,
    /// `snapshot`, `retry`), which the gateway looks up. Without it dbt Cloud takes the last step, often
    /// `dbt docs generate`, whose `run_results.json` does not cover the build.
    #[serde(default, deserialize_with = "step")]
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]{0,3}|results)$", example = "results")]
    step: Option<ArtifactStep>,
}

fn step<'de, D: Deserializer<'de>>(parameter: D) -> Result<Option<ArtifactStep>, D::Error> {
    let text = String::deserialize(parameter)?;
    let invalid = |error| D::Error::custom(format_args!("`{}`: {error}", excerpt(&text)));
    text.parse().map(Some).map_err(invalid)
}

/// The answers to a request for a file.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the document alone")]
enum FileResponses {
    /// The file: bytes to a generator, with dbt Cloud's media type when it is sent.
    #[response(status = 200, content_type = "application/octet-stream")]
    Whole(#[to_schema] ArtifactFile),
    /// The part that `Range` names.
    #[response(status = 206, content_type = "application/octet-stream")]
    Part(#[to_schema] ArtifactFile),
    /// The caller has the file already, by `If-None-Match` or `If-Modified-Since`.
    #[response(status = 304)]
    NotModified,
    /// The file has changed, by `If-Match` or `If-Unmodified-Since`.
    #[response(status = 412)]
    Changed,
    /// The file has no such part.
    #[response(status = 416)]
    NoSuchPart,
}

/// List the artifacts of a run
///
/// Their paths below `target/`. An empty list where the run has none.
#[utoipa::path(get, path = "/runs/{run_id}/artifacts", tag = "artifacts", params(Id<RunId>, ScopedQuery<StepQuery>),
    responses((status = 200, body = ArtifactPaths)))]
async fn list_run_artifacts(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    query: ScopedQuery<StepQuery>,
) -> Result<Json<ArtifactPaths>, Problem> {
    let step = query.filter.step;
    Ok(Json(ArtifactPaths(
        client.list_run_artifacts(query.scope, run, step).await?,
    )))
}

/// Download an artifact of a run
///
/// Streamed as dbt Cloud sends it, whatever its size and type. `Range`, the conditions (`If-None-Match`, …) and
/// `Accept-Encoding` are passed on. If dbt Cloud aborts, the connection is aborted too.
#[utoipa::path(get, path = "/runs/{run_id}/artifacts/{*path}", tag = "artifacts",
    params(IdAndArtifact<RunId>, ScopedQuery<StepQuery>), responses(FileResponses))]
async fn get_run_artifact(
    Dbt(client): Dbt,
    IdAndArtifact(run, path): IdAndArtifact<RunId>,
    FileHeaders(headers): FileHeaders,
    query: ScopedQuery<StepQuery>,
) -> Result<Response, Problem> {
    let step = query.filter.step;
    let answer = client.get_run_artifact(query.scope, run, path, step, headers).await?;
    Ok(streamed::response(answer))
}

/// Download the latest artifact of a job
///
/// From the job's latest run that has one, as `GET /runs/{run_id}/artifacts/{path}` downloads it. With `step`, from the
/// job's latest run that succeeded or failed, which the gateway looks up: dbt Cloud itself has no step here.
#[utoipa::path(get, path = "/jobs/{job_id}/artifacts/{*path}", tag = "artifacts",
    params(IdAndArtifact<JobId>, ScopedQuery<StepQuery>), responses(FileResponses))]
async fn get_job_artifact(
    Dbt(client): Dbt,
    IdAndArtifact(job, path): IdAndArtifact<JobId>,
    FileHeaders(headers): FileHeaders,
    query: ScopedQuery<StepQuery>,
) -> Result<Response, Problem> {
    let step = query.filter.step;
    let answer = client.get_job_artifact(query.scope, job, path, step, headers).await?;
    Ok(streamed::response(answer))
}
