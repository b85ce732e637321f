//! Jobs: the definitions, and what starts a run of one.

mod body;
mod start;

use axum::http::{StatusCode, header};
use axum::response::Response;
use model::{Job, JobFields, JobFilter, JobId, JobOptions};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{CreateJobBody, UpdateJobBody};
use crate::extract::{Dbt, Id, Idempotency, JsonBody, ListQuery, ScopedQuery};
use crate::json::Json;
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::routes::started::repeatable;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs, create_job))
        .routes(routes!(get_job, update_job, delete_job))
        .routes(routes!(start::trigger_job))
        .routes(routes!(start::rerun_job))
}

/// List the jobs of an account
///
/// Reads as many of dbt Cloud's pages of 100 as the requested page covers. The page is whole or an error; a page beyond
/// `gather.hold_max_bytes` is sent as it is read, and the connection is aborted where a part of it fails.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(ListQuery<JobFilter>),
    responses((status = 200, body = List<Job>)))]
async fn list_jobs(Dbt(client): Dbt, links: PageLinks, query: ListQuery<JobFilter>) -> Result<ListAnswer, Problem> {
    let jobs = client.list_jobs(query.scope, query.filter, query.page).await?;
    Ok(ListAnswer::new(jobs, &links))
}

/// Get a job
///
/// Its definition; its newest run is in `most_recent_run` if `include_related` names it.
#[utoipa::path(get, path = "/jobs/{job_id}", tag = "jobs", params(Id<JobId>, ScopedQuery<JobOptions>),
    responses((status = 200, body = Job)))]
async fn get_job(Dbt(client): Dbt, Id(job): Id<JobId>, query: ScopedQuery<JobOptions>) -> Result<Json<Job>, Problem> {
    let related = query.filter.include_related;
    Ok(Json(client.get_job(query.scope, job, related).await?))
}

/// Create a job
///
/// Every accepted call creates a job, even with a name that exists. The gateway sends it to dbt Cloud at most once; after a
/// 502 or 504 the job may exist, so look up the jobs of that name before you repeat it. With an `Idempotency-Key` a repeat
/// gets the first answer, and never creates a second job.
#[utoipa::path(post, path = "/jobs", tag = "jobs", params(ScopedQuery, Idempotency), request_body = CreateJobBody,
    responses(
        (status = 201, body = Job, headers(("location" = String, description = "The address of the job.")))))]
async fn create_job(
    Dbt(client): Dbt,
    query: ScopedQuery,
    Idempotency(idempotency_key): Idempotency,
    JsonBody(body): JsonBody<CreateJobBody>,
) -> Result<Response, Problem> {
    let scope = query.scope;
    let job = client.create_job(scope.clone(), body.into(), idempotency_key).await?;
    Ok(repeatable(job, |job| {
        let location = scope.location(&format!("/jobs/{}", job.id));
        (StatusCode::CREATED, [(header::LOCATION, location)], Json(job))
    }))
}

/// Change a job
///
/// Reads the job, merges the body into it, and writes the whole definition, as dbt Cloud requires. **dbt Cloud offers no
/// way to detect a concurrent change**: a change by someone else between that read and that write is lost. After a 502
/// or 504 the job may have changed; the same body can be sent again.
#[utoipa::path(patch, path = "/jobs/{job_id}", tag = "jobs", params(Id<JobId>, ScopedQuery),
    request_body = UpdateJobBody, responses((status = 200, body = Job)))]
async fn update_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    query: ScopedQuery,
    JsonBody(body): JsonBody<UpdateJobBody>,
) -> Result<Json<Job>, Problem> {
    let changes = JobFields::from(body);
    if changes.0.is_empty() {
        let detail = "In the body: name at least one field to change.";
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    Ok(Json(client.update_job(query.scope, job, changes).await?))
}

/// Delete a job
///
/// Permanently. Its runs stay.
#[utoipa::path(delete, path = "/jobs/{job_id}", tag = "jobs", params(Id<JobId>, ScopedQuery),
    responses((status = 204)))]
async fn delete_job(Dbt(client): Dbt, Id(job): Id<JobId>, query: ScopedQuery) -> Result<StatusCode, Problem> {
    client.delete_job(query.scope, job).await?;
    Ok(StatusCode::NO_CONTENT)
}
