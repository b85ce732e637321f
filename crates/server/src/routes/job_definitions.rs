//! Jobs: the definitions. What starts their runs stands in `jobs.rs`.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{
    AccountId, EnvironmentId, JobFields, JobFilter, JobId, JobRelated, PageQuery, ProjectId, StateFilter, Target,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Id, JsonBody, QueryParams, Text, commas};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::routes::job_bodies::{CreateJobBody, UpdateJobBody};
use crate::routes::{AccountQuery, page_query};
use crate::views::{JobView, ListView};

/// Which jobs, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListJobs {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// The page, from 1.
    #[param(minimum = 1, maximum = 400_000, default = 1)]
    page: Option<u32>,
    /// Entries a page.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    page_size: Option<u32>,
    /// Jobs of this project; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_000_001_i64]))]
    project_id: Vec<ProjectId>,
    /// Jobs in this environment.
    #[param(value_type = Option<i64>)]
    environment_id: Option<EnvironmentId>,
    /// The exact name.
    name: Option<String>,
    /// Part of the name, in any case.
    name_contains: Option<String>,
    /// The version of dbt, as dbt Cloud spells it; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["latest"]))]
    dbt_version: Vec<Text>,
    /// Whether the schedule is on.
    scheduled: Option<bool>,
    /// Whether dbt Cloud made the job for itself; `false` by default.
    is_system: Option<bool>,
    /// Whether the job can run on the Fusion engine.
    is_fusion_ready: Option<bool>,
    /// `active` (the default), `deleted` or `all`.
    #[param(value_type = Option<String>, example = "active")]
    state: Option<StateFilter>,
    /// A field of dbt Cloud to order by; `-id` for the newest first.
    #[param(example = "-id")]
    order_by: Option<String>,
    /// What to send with each job, in the field of that name: `environment`, `custom_environment_variables`,
    /// `most_recent_run`, `most_recent_completed_run`, `fusion_readiness`; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["most_recent_run"]))]
    include_related: Vec<JobRelated>,
}

impl ListJobs {
    fn split(self) -> Result<(Target, JobFilter, PageQuery), Problem> {
        let page = page_query(self.page, self.page_size)?;
        let filter = JobFilter {
            project_id: self.project_id,
            environment_id: self.environment_id,
            name: self.name,
            name_contains: self.name_contains,
            dbt_version: self.dbt_version.into_iter().map(|Text(each)| each).collect(),
            scheduled: self.scheduled,
            is_system: self.is_system,
            is_fusion_ready: self.is_fusion_ready,
            state: self.state,
            order_by: self.order_by,
            include_related: self.include_related,
        };
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        Ok((target, filter, page))
    }
}

/// Where a job is, and what to send with it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetJob {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// What to send with the job, in the field of that name: `environment`, `custom_environment_variables`,
    /// `most_recent_run`, `most_recent_completed_run`, `fusion_readiness`; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["most_recent_run"]))]
    include_related: Vec<JobRelated>,
}

/// List the jobs of an account
///
/// Gathers as many of dbt Cloud's pages of 100 as the asked page covers. The page is whole or an error.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "jobs", params(ListJobs),
    responses((status = 200, body = ListView<JobView>)))]
pub(crate) async fn list_jobs(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListJobs>,
) -> Result<Json<ListView<JobView>>, Problem> {
    let (target, filter, page) = query.split()?;
    let jobs = client.list_jobs(target, filter, page).await?;
    Ok(Json(ListView::of(jobs, &links)))
}

/// Get a job
#[utoipa::path(get, path = "/jobs/{job_id}", operation_id = "get_job", tag = "jobs",
    params(("job_id" = i64, Path, description = "The job's id."), GetJob),
    responses((status = 200, body = JobView)))]
pub(crate) async fn get_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    QueryParams(query): QueryParams<GetJob>,
) -> Result<Json<JobView>, Problem> {
    let target = Target {
        account: query.account_id,
        credential: query.credential,
    };
    Ok(Json(client.get_job(target, job, query.include_related).await?.into()))
}

/// Define a job
///
/// Not idempotent: every accepted call makes a job, also one of a name that is there already. The gateway sends it to dbt
/// Cloud at most once; after a 502 or 504 the job may be there, so look at the jobs of that name before you repeat it.
#[utoipa::path(post, path = "/jobs", operation_id = "create_job", tag = "jobs",
    params(AccountQuery), request_body = CreateJobBody,
    responses(
        (status = 201, body = JobView, headers(("location" = String, description = "Where the job can be read.")))))]
pub(crate) async fn create_job(
    Dbt(client): Dbt,
    QueryParams(account): QueryParams<AccountQuery>,
    JsonBody(body): JsonBody<CreateJobBody>,
) -> Result<Response, Problem> {
    let job = client.create_job(account.clone(), body.into()).await?;
    let location = [(header::LOCATION, account.location(&format!("/jobs/{}", job.id)))];
    Ok((StatusCode::CREATED, location, Json(JobView::from(job))).into_response())
}

/// Change a job
///
/// Reads the job, merges the body into it, and writes it whole, as dbt Cloud wants it. **dbt Cloud offers no way to detect
/// a concurrent change**: what somebody else changes between that reading and that writing is lost. After a 502 or 504
/// the job may have changed; the same body can be sent again.
#[utoipa::path(patch, path = "/jobs/{job_id}", operation_id = "update_job", tag = "jobs",
    params(("job_id" = i64, Path, description = "The job's id."), AccountQuery), request_body = UpdateJobBody,
    responses((status = 200, body = JobView)))]
pub(crate) async fn update_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    QueryParams(account): QueryParams<AccountQuery>,
    JsonBody(body): JsonBody<UpdateJobBody>,
) -> Result<Json<JobView>, Problem> {
    let changes = JobFields::from(body);
    if changes.0.is_empty() {
        let detail = "In the body: name at least one field to change.";
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    Ok(Json(client.update_job(account, job, changes).await?.into()))
}

/// Delete a job
#[utoipa::path(delete, path = "/jobs/{job_id}", operation_id = "delete_job", tag = "jobs",
    params(("job_id" = i64, Path, description = "The job's id."), AccountQuery),
    responses((status = 204)))]
pub(crate) async fn delete_job(
    Dbt(client): Dbt,
    Id(job): Id<JobId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<StatusCode, Problem> {
    client.delete_job(account, job).await?;
    Ok(StatusCode::NO_CONTENT)
}
