//! Runs, by the Administrative API v2.

use chrono::{DateTime, SecondsFormat, Utc};
use model::{Listed, Period, RetryPlan, Run, RunFilter, RunId, RunRelated, RunStep, Slice, Upstream};
use serde_json::{Value, json};

use crate::{ApiError, ApiRequest, ApiResponse, WrappedApi};

impl dyn WrappedApi {
    /// One page of runs: "List Runs", `GET /v2/accounts/{account_id}/runs/`.
    ///
    /// # Errors
    /// Every [`ApiError`].
    pub async fn list_runs(
        &self,
        to: &Upstream,
        filter: &RunFilter,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<Run>>, ApiError> {
        let mut request = ApiRequest::list(format!("/v2/accounts/{}/runs/", to.account_id), slice)
            // Always sent: dbt Cloud's default is oldest first.
            .query("order_by", filter.order_by.as_str());
        if !filter.project_id.is_empty() {
            request = request.query("project_id__in", &json!(filter.project_id));
        }
        request = request.query_some("environment_id", filter.environment_id.as_ref());
        request = request.query_some("job_definition_id", filter.job_id.as_ref());
        if !filter.run_id.is_empty() {
            request = request.query("pk__in", &json!(filter.run_id));
        }
        request = request.query_some("id__gt", filter.after_id.as_ref());
        if !filter.status.is_empty() {
            request = request.query("status__in", &json!(filter.status));
        }
        if !filter.created.is_open() {
            request = request.query("created_at__range", &range(filter.created));
        }
        if !filter.finished.is_open() {
            request = request.query("finished_at__range", &range(filter.finished));
        }
        self.fetch_list(to, with_related(request, &filter.include_related), slice)
            .await
    }

    /// One run with related objects: "Retrieve Run", `GET /v2/accounts/{account_id}/runs/{id}/`.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::NotFound`] if there is none, if the token may not see it, and for a moment
    /// after the run was started.
    pub async fn get_run(
        &self,
        to: &Upstream,
        id: RunId,
        related: &[RunRelated],
    ) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/runs/{id}/", to.account_id));
        self.fetch(to, with_related(request, related)).await
    }

    /// The steps of a run with their logs, by "Retrieve Run". Debug logs have only their last 1,000 lines unless
    /// `debug_logs` is set. Logs may appear a moment after the end of their step.
    ///
    /// # Errors
    /// As [`Self::get_run`](#method.get_run); [`ApiError::Decode`] for a run without the list of its steps, and for an entry
    /// that is no step.
    pub async fn list_run_steps(
        &self,
        to: &Upstream,
        id: RunId,
        debug_logs: bool,
    ) -> Result<ApiResponse<Vec<RunStep>>, ApiError> {
        let mut related = vec![RunRelated::RunSteps];
        if debug_logs {
            related.push(RunRelated::DebugLogs);
        }
        let answer = self.get_run(to, id, &related).await?;
        let steps = answer.data.steps().map_err(|error| ApiError::Decode {
            status: answer.status,
            source: error.into(),
        })?;
        Ok(answer.map(|_| steps))
    }

    /// Cancels a run: "Cancel Run", `POST /v2/accounts/{account_id}/runs/{run_id}/cancel/`. Returns the run, which may
    /// still be running. The effect on a finished run is not documented.
    ///
    /// # Errors
    /// Every [`ApiError`].
    pub async fn cancel_run(&self, to: &Upstream, id: RunId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/runs/{id}/cancel/", to.account_id));
        self.fetch(to, request).await
    }

    /// Which steps a retry of the run would execute: "Retrieve Run Failure Details",
    /// `GET /v2/accounts/{account_id}/runs/{run_id}/retry/`.
    ///
    /// # Errors
    /// Every [`ApiError`]. The answer for a run that has not failed is not documented.
    pub async fn get_retry_preview(
        &self,
        to: &Upstream,
        id: RunId,
    ) -> Result<ApiResponse<Option<RetryPlan>>, ApiError> {
        let request = ApiRequest::get(format!("/v2/accounts/{}/runs/{id}/retry/", to.account_id));
        self.fetch_nullable(to, request).await
    }

    /// Starts a run from the point of failure of another: "Retry Run", `POST /v2/accounts/{account_id}/runs/{run_id}/retry/`.
    /// Returns the new run. Only the latest run of a job can be retried, and only if it failed.
    ///
    /// Not idempotent: never retried.
    ///
    /// # Errors
    /// Every [`ApiError`]. After [`ApiError::Timeout`], [`ApiError::Disconnected`], [`ApiError::Decode`],
    /// [`ApiError::SaysFailed`], [`ApiError::TooLarge`] or a 5xx the run may have started.
    pub async fn retry_run(&self, to: &Upstream, id: RunId) -> Result<ApiResponse<Run>, ApiError> {
        let request = ApiRequest::post(format!("/v2/accounts/{}/runs/{id}/retry/", to.account_id));
        self.fetch_made(to, request).await
    }
}

/// dbt's clients write this parameter in five ways; this is the specification's.
fn with_related(request: ApiRequest, related: &[RunRelated]) -> ApiRequest {
    if related.is_empty() {
        return request;
    }
    let names: Vec<_> = related.iter().map(|each| each.as_str()).collect();
    request.query("include_related", &names.join(","))
}

/// Both ends in one parameter, as a JSON list, as dbt's clients send it (the specification says repeated keys). An open
/// end is sent as 1970 or 2200.
fn range(period: Period) -> Value {
    let after = period.after.unwrap_or(DateTime::UNIX_EPOCH);
    let before = period.before.unwrap_or(FAR);
    json!([written(after), written(before)])
}

/// 1 January 2200.
const FAR: DateTime<Utc> = DateTime::from_timestamp(7_258_118_400, 0).unwrap();

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
