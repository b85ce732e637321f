//! Jobs (the definitions), by the Administrative API v2.

use model::{Job, JobFields, JobFilter, JobId, JobRelated, Listed, Run, Slice, StateFilter, TriggerJob, Upstream};
use serde_json::{Value, json};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One page of jobs: "List Jobs", `GET /v2/accounts/{account_id}/jobs/`.
    ///
    /// dbt Cloud cannot filter by exact name. `filter.name` is sent as a case-insensitive substring, unless
    /// `filter.name_contains` is set; the caller must compare the names in the answer.
    ///
    /// # Errors
    /// Every [`ApiError`].
    pub async fn list_jobs(
        &self,
        to: &Upstream,
        filter: &JobFilter,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<Job>>, ApiError> {
        let mut request = ApiRequest::list(format!("/v2/accounts/{}/jobs/", to.account_id), slice);
        match filter.project_id[..] {
            [] => {}
            [project] => request = request.query("project_id", &project),
            _ => request = request.query("project_id__in", &json!(filter.project_id)),
        }
        request = request.query_some("environment_id", filter.environment_id.as_ref());
        request = request.query_some(
            "name__icontains",
            filter.name_contains.as_ref().or(filter.name.as_ref()),
        );
        if !filter.dbt_version.is_empty() {
            request = request.query("dbt_version__in", &json!(filter.dbt_version));
        }
        request = request
            .query_some("triggers_schedule", filter.scheduled.as_ref())
            .query_some("is_system", filter.is_system.as_ref())
            .query_some("is_fusion_ready", filter.is_fusion_ready.as_ref());
        request = request
            .query_some("state", filter.state.map(StateFilter::as_str))
            .query_some("order_by", filter.order_by.as_ref());
        self.fetch_list(to, with_related(request, &filter.include_related), slice)
            .await
    }

    /// One job with related objects: "Retrieve Job", `GET /v2/accounts/{account_id}/jobs/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is none, or the token may not see it.
    pub async fn get_job(
        &self,
        to: &Upstream,
        id: JobId,
        related: &[JobRelated],
    ) -> Result<ApiResponse<Job>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/jobs/{id}/", to.account_id));
        self.fetch(to, with_related(request, related)).await
    }

    /// As [`Self::get_job`], with all fields that dbt Cloud sends, for [`Self::update_job`].
    ///
    /// # Errors
    /// As [`Self::get_job`]; [`ApiError::Decode`] if it is not an object.
    pub async fn get_job_fields(&self, to: &Upstream, id: JobId) -> Result<ApiResponse<JobFields>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/jobs/{id}/", to.account_id));
        Ok(self.fetch(to, request).await?.map(JobFields))
    }

    /// Creates a job: "Create Job", `POST /v2/accounts/{account_id}/jobs/`. `fields` is the whole definition; the account and
    /// `id: null`, which dbt's own clients send too, are added here.
    ///
    /// # Errors
    /// Every [`ApiError`]. After [`ApiError::Timeout`], [`ApiError::Disconnected`], [`ApiError::Decode`],
    /// [`ApiError::SaysFailed`], [`ApiError::TooLarge`] or a 5xx the job may exist.
    pub async fn create_job(&self, to: &Upstream, fields: &JobFields) -> Result<ApiResponse<Job>, ApiError> {
        let mut whole = fields.0.clone();
        whole.insert("id".to_owned(), Value::Null);
        whole.insert("account_id".to_owned(), json!(to.account_id));
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/", to.account_id)).json(&whole)?;
        self.fetch_made(to, request).await
    }

    /// Replaces a job's definition: "Update Job", `POST /v2/accounts/{account_id}/jobs/{id}/`. `fields` is the whole
    /// definition: the effect of a missing field is not documented.
    ///
    /// # Errors
    /// As [`Self::create_job`]: the job may have changed.
    pub async fn update_job(&self, to: &Upstream, id: JobId, fields: &JobFields) -> Result<ApiResponse<Job>, ApiError> {
        let mut whole = fields.0.clone();
        whole.insert("account_id".to_owned(), json!(to.account_id));
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/{id}/", to.account_id)).json(&whole)?;
        self.fetch(to, request).await
    }

    /// Deletes a job: "Delete Job", `DELETE /v2/accounts/{account_id}/jobs/{id}/`. Any 2xx is accepted: the
    /// specification says 204, but answers with a body have been reported.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is none, or the token may not see it.
    pub async fn delete_job(&self, to: &Upstream, id: JobId) -> Result<ApiResponse<()>, ApiError> {
        let request = ApiRequest::delete(format!("/v2/accounts/{}/jobs/{id}/", to.account_id));
        self.fetch_nothing(to, request).await
    }

    /// Starts a run: "Trigger Job Run", `POST /v2/accounts/{account_id}/jobs/{job_id}/run/`. Returns the new run,
    /// queued. A `GET` of the run may return 404 for a moment.
    ///
    /// Not idempotent: every call that reaches dbt Cloud starts a run, so it is never retried.
    ///
    /// # Errors
    /// Every [`ApiError`]. After [`ApiError::Timeout`], [`ApiError::Disconnected`], [`ApiError::Decode`],
    /// [`ApiError::SaysFailed`], [`ApiError::TooLarge`] or a 5xx the run may have started.
    pub async fn trigger_job(
        &self,
        to: &Upstream,
        job: JobId,
        trigger: &TriggerJob,
    ) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/{job}/run/", to.account_id)).json(trigger)?;
        self.fetch_made(to, request).await
    }

    /// Starts a run of a job from the point of failure of its latest run, or from the beginning if that did not fail: "Retry
    /// Failed Job", `POST /v2/accounts/{account_id}/jobs/{job_id}/rerun/`. Returns the new run.
    ///
    /// Not idempotent: never retried.
    ///
    /// # Errors
    /// As [`Self::retry_run`](#method.retry_run).
    pub async fn rerun_job(&self, to: &Upstream, job: JobId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/jobs/{job}/rerun/", to.account_id));
        self.fetch_made(to, request).await
    }
}

/// dbt's clients write this parameter in five ways; this is the specification's.
fn with_related(request: ApiRequest, related: &[JobRelated]) -> ApiRequest {
    if related.is_empty() {
        return request;
    }
    let names: Vec<_> = related.iter().map(|each| each.as_str()).collect();
    request.query("include_related", &names.join(","))
}
