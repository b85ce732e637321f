//! The list of runs, with its filters.

use model::{
    EnvironmentId, JobId, ListItem, Period, ProjectId, Run, RunFilter, RunOrder, RunRelated, RunStatus, comma_list,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::extract::{Dbt, ListQuery, Moment};
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::words::{RelatedToRuns, RunStatusWord};

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListRuns {
    /// Runs of this project; several with commas between them.
    #[serde(default, deserialize_with = "comma_list")]
    #[param(value_type = Option<Vec<i64>>, style = Form, explode = false, example = json!([70_403_103_920_001_i64]))]
    project_id: Vec<ProjectId>,
    /// Runs in this environment.
    #[param(value_type = Option<i64>)]
    environment_id: Option<EnvironmentId>,
    /// Runs of this job.
    #[param(value_type = Option<i64>)]
    job_id: Option<JobId>,
    /// Runs in this state, by name or number: `queued` (1), `starting` (2), `running` (3), `success` (10), `error` (20),
    /// `cancelled` (30); several with commas between them.
    #[serde(default, deserialize_with = "comma_list")]
    #[param(value_type = Option<Vec<RunStatusWord>>, style = Form, explode = false, example = json!(["error", "cancelled"]))]
    status: Vec<RunStatus>,
    /// Created at this time or later (RFC 3339; write the `+` of an offset as `%2B`).
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<Moment>,
    /// Created at this time or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<Moment>,
    /// Finished at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    finished_after: Option<Moment>,
    /// Finished at this time or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    finished_before: Option<Moment>,
    /// `id`, `created_at` or `finished_at`, with `-` in front for descending.
    #[serde(default)]
    #[param(value_type = RunOrder, required = false, default = "-id")]
    order_by: RunOrder,
    /// What to send with each run, in the field of that name: `trigger`, `job`, `audit`; several with commas between
    /// them.
    #[serde(default, deserialize_with = "comma_list")]
    #[param(value_type = Option<Vec<RelatedToRuns>>, style = Form, explode = false)]
    include_related: Vec<InList>,
}

impl ListRuns {
    fn filter(self) -> Result<RunFilter, Problem> {
        Ok(RunFilter {
            project_id: self.project_id,
            environment_id: self.environment_id,
            job_id: self.job_id,
            run_id: Vec::new(),
            after_id: None,
            status: self.status,
            created: period("created", self.created_after, self.created_before)?,
            finished: period("finished", self.finished_after, self.finished_before)?,
            order_by: self.order_by,
            include_related: self.include_related.into_iter().map(|InList(each)| each).collect(),
        })
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

/// A related object that a list can include.
#[derive(Debug)]
pub(super) struct InList(RunRelated);

/// A related object that a single run can include.
#[derive(Debug)]
pub(super) struct InOne(pub(super) RunRelated);

macro_rules! related {
    ($name:ident of $all:expr) => {
        impl ListItem for $name {
            fn parse(text: &str) -> Option<Self> {
                $all.into_iter().find(|each| each.as_str() == text).map(Self)
            }

            fn valid() -> String {
                $all.map(RunRelated::as_str).join(", ")
            }
        }
    };
}
related!(InList of RunRelated::OF_LISTS);
related!(InOne of RunRelated::OF_ONE);

/// List the runs of an account
///
/// The newest first, unless `order_by` says otherwise. Reads as many of dbt Cloud's pages of 100 as the requested page
/// covers; the page is whole or an error. A page beyond `gather.hold_max_bytes` is sent as it is read, and the connection is
/// aborted where a part of it fails.
#[utoipa::path(get, path = "/runs", tag = "runs", params(ListQuery<ListRuns>),
    responses((status = 200, body = List<Run>)))]
pub(super) async fn list_runs(
    Dbt(client): Dbt,
    links: PageLinks,
    query: ListQuery<ListRuns>,
) -> Result<ListAnswer, Problem> {
    let filter = query.filter.filter()?;
    let runs = client.list_runs(query.scope, filter, query.page).await?;
    Ok(ListAnswer::new(runs, &links))
}
