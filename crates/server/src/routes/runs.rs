//! Runs, one at a time.

use axum::Json;
use axum::http::StatusCode;
use model::{AccountId, RunId, RunRelated, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Id, OfOne, QueryParams, commas};
use crate::problem::Problem;
use crate::routes::AccountQuery;
use crate::views::RunView;

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
