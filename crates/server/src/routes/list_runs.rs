//! The list of runs, with its filters.

use model::{AccountId, EnvironmentId, JobId, PageQuery, Period, ProjectId, RunFilter, RunOrder, RunStatus, Target};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, Moment, OfLists, QueryParams, commas};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::routes::page_query;
use crate::views::{ListView, RunView};

/// Which runs, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRuns {
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
    /// Runs of this project; several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_000_001_i64]))]
    project_id: Vec<ProjectId>,
    /// Runs in this environment.
    #[param(value_type = Option<i64>)]
    environment_id: Option<EnvironmentId>,
    /// Runs of this job.
    #[param(value_type = Option<i64>)]
    job_id: Option<JobId>,
    /// Runs in this state, by name or number: `queued` (1), `starting` (2), `running` (3), `success` (10), `error` (20),
    /// `cancelled` (30); several with commas between them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["error", "cancelled"]))]
    status: Vec<RunStatus>,
    /// Made at this time or later (RFC 3339; write the `+` of an offset as `%2B`).
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<Moment>,
    /// Made at this time or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<Moment>,
    /// Ended at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    finished_after: Option<Moment>,
    /// Ended at this time or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    finished_before: Option<Moment>,
    /// `id`, `created_at` or `finished_at`, with `-` in front for descending.
    #[serde(default)]
    #[param(value_type = Option<String>, default = "-id", example = "-finished_at")]
    order_by: RunOrder,
    /// What to send with each run, in the field of that name: `trigger`, `job`, `audit`; several with commas between
    /// them.
    #[serde(default, deserialize_with = "commas")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, example = json!(["trigger", "job"]))]
    include_related: Vec<OfLists>,
}

impl ListRuns {
    fn split(self) -> Result<(Target, RunFilter, PageQuery), Problem> {
        let page = page_query(self.page, self.page_size)?;
        let filter = RunFilter {
            project_id: self.project_id,
            environment_id: self.environment_id,
            job_id: self.job_id,
            status: self.status,
            created: period("created", self.created_after, self.created_before)?,
            finished: period("finished", self.finished_after, self.finished_before)?,
            order_by: self.order_by,
            include_related: self.include_related.into_iter().map(|OfLists(each)| each).collect(),
        };
        let target = Target {
            account: self.account_id,
            credential: self.credential,
        };
        Ok((target, filter, page))
    }
}

fn period(name: &str, after: Option<Moment>, before: Option<Moment>) -> Result<Period, Problem> {
    let (after, before) = (after.map(|moment| moment.0), before.map(|moment| moment.0));
    if let (Some(after), Some(before)) = (after, before)
        && after > before
    {
        let detail = format!("In the query: `{name}_after` is later than `{name}_before`.");
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    Ok(Period { after, before })
}

/// List the runs of an account
///
/// The newest first, unless `order_by` says otherwise. Gathers as many of dbt Cloud's pages of 100 as the asked page
/// covers; the page is whole or an error.
#[utoipa::path(get, path = "/runs", operation_id = "list_runs", tag = "runs", params(ListRuns),
    responses((status = 200, body = ListView<RunView>)))]
pub(crate) async fn list_runs(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListRuns>,
) -> Result<Json<ListView<RunView>>, Problem> {
    let (target, filter, page) = query.split()?;
    let runs = client.list_runs(target, filter, page).await?;
    Ok(Json(ListView::of(runs, &links)))
}
