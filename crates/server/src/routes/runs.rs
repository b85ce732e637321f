//! Runs, one at a time.

use axum::http::StatusCode;
use model::{AccountId, PageQuery, RunId, RunRelated, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Id, OfOne, QueryParams, commas};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::routes::{AccountQuery, page_query};
use crate::views::{ListView, RunFailureView, RunStepView, RunView};

/// The account of the run, and what to send with it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetRun {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// What to send with the run, in the field of that name: `trigger`, `job`, `audit`, `environment`, `run_steps`;
    /// several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["trigger", "job"]))]
    include_related: Vec<OfOne>,
}

impl GetRun {
    fn split(self) -> (Target, Vec<RunRelated>) {
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        (
            target,
            self.include_related.into_iter().map(|OfOne(each)| each).collect(),
        )
    }
}

/// Get a run
#[utoipa::path(get, path = "/runs/{run_id}", operation_id = "get_run", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), GetRun),
    responses((status = 200, body = RunView)))]
pub(crate) async fn get_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(query): QueryParams<GetRun>,
) -> Result<Json<RunView>, Problem> {
    let (target, related) = query.split();
    Ok(Json(client.get_run(target, run, related).await?.into()))
}

/// The account of the run, and which page of its steps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRunSteps {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>, example = 70_403_100_000_001_i64)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
    /// Whether `debug_logs` is whole; without it dbt Cloud sends the last 1,000 lines. Whole ones are long.
    #[serde(default)]
    #[param(default = false)]
    debug_logs: bool,
    /// The page, from 1.
    #[param(minimum = 1, maximum = 400_000, default = 1)]
    page: Option<u32>,
    /// Entries a page.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    page_size: Option<u32>,
}

impl ListRunSteps {
    fn split(self) -> Result<(Target, bool, PageQuery), Problem> {
        let page = page_query(self.page, self.page_size)?;
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        Ok((target, self.debug_logs, page))
    }
}

/// List the steps of a run, with their logs
///
/// In their order; the first three clone the repository, make the profile and run `dbt deps`. `logs` may be empty for a
/// moment after the end of a step.
#[utoipa::path(get, path = "/runs/{run_id}/steps", operation_id = "list_run_steps", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), ListRunSteps),
    responses((status = 200, body = ListView<RunStepView>)))]
pub(crate) async fn list_run_steps(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    links: PageLinks,
    QueryParams(query): QueryParams<ListRunSteps>,
) -> Result<Json<ListView<RunStepView>>, Problem> {
    let (target, debug_logs, page) = query.split()?;
    let steps = client.list_run_steps(target, run, debug_logs, page).await?;
    Ok(Json(ListView::of(steps, &links)))
}

/// Say why a run failed
///
/// The step that failed, its nodes that failed with their messages, and the end of its log, gathered from the run, its
/// steps and the step's `run_results.json` (`sources.json` of `dbt source freshness`). Also of a run that did not fail:
/// `verdict` says what became of it. What dbt Cloud does not have (yet) is named in `not_available`, and is no error.
#[utoipa::path(get, path = "/runs/{run_id}/failure", operation_id = "get_run_failure", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), AccountQuery),
    responses((status = 200, body = RunFailureView)))]
pub(crate) async fn get_run_failure(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<Json<RunFailureView>, Problem> {
    Ok(Json(client.get_run_failure(account, run).await?.into()))
}

/// Cancel a run
///
/// Answers the run, which may go on for a moment: poll it until `is_complete`. May be repeated: a run that is being
/// cancelled, or was, stays so. A run that ended by itself is left alone: 409 `run-finished`.
#[utoipa::path(post, path = "/runs/{run_id}/cancel", operation_id = "cancel_run", tag = "runs",
    params(("run_id" = i64, Path, description = "The run's id."), AccountQuery),
    responses((status = 202, body = RunView), (status = 409, body = Problem, content_type = "application/problem+json", description = "The run has ended by itself.")))]
pub(crate) async fn cancel_run(
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    QueryParams(account): QueryParams<AccountQuery>,
) -> Result<(StatusCode, Json<RunView>), Problem> {
    let run = client.cancel_run(account, run).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}
