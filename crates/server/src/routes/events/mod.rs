//! The events of runs: as a stream of server-sent events, or as a page.

mod answer;
mod stream;

use client::EventFilter;
use model::{EnvironmentId, JobId, ProjectId, RunId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::answer::{After, EventForm, EventPage, Wanted};
use crate::extract::{Dbt, Id, ScopedQuery};
use crate::problem::Problem;
use crate::state::Shared;
use crate::words::EventFormWord;
use axum::extract::State;
use axum::response::Response;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_run_events))
        .routes(routes!(list_events))
}

/// In which form, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunEvents {
    /// `json`: a page of events instead of a stream.
    #[param(value_type = Option<EventFormWord>, example = "json")]
    format: Option<EventForm>,
    /// Only events after this one, by its `id`. The header `Last-Event-ID` comes first.
    #[param(minimum = 0, example = 0)]
    after: Option<i64>,
}

/// Which events, in which form, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Events {
    /// Only events of runs of this project.
    #[param(value_type = Option<i64>)]
    project_id: Option<ProjectId>,
    /// Only events of runs of this job.
    #[param(value_type = Option<i64>)]
    job_id: Option<JobId>,
    /// Only events of runs in this environment.
    #[param(value_type = Option<i64>)]
    environment_id: Option<EnvironmentId>,
    /// `json`: a page of events instead of a stream.
    #[param(value_type = Option<EventFormWord>, example = "json")]
    format: Option<EventForm>,
    /// Only events after this one, by its `id`. The header `Last-Event-ID` comes first.
    #[param(minimum = 0, example = 0)]
    after: Option<i64>,
}

/// Follow the events of a run
///
/// A stream of server-sent events, from the first one on, or after `Last-Event-ID`: `run.created`, `run.status`, `run.step`,
/// `run.log`, `run.ended`, and `gap` where something is missing. It goes on on any replica, without a gap or a repeat, as
/// long as events are kept (`events.retention_hours`). While a caller follows, the run's steps and logs are read too, as far
/// as dbt Cloud shows them. The stream ends after `run.ended`; 204: there is nothing more to come. See docs/waiting.md.
#[utoipa::path(get, path = "/runs/{run_id}/events", tag = "runs",
    params(Id<RunId>, ScopedQuery<RunEvents>, After),
    responses(
        (status = 200, content((EventPage = "application/json"), (String = "text/event-stream", example = json!("id: 17\nevent: run.status\ndata: {\"run_id\":70403104000901,\"status\":\"running\",\"previous\":\"queued\"}\n\n")))),
        (status = 204, description = "The run has ended, and there are no events after this one.")))]
async fn list_run_events(
    State(state): State<Shared>,
    Dbt(client): Dbt,
    Id(run): Id<RunId>,
    After(last): After,
    wanted: Wanted,
    query: ScopedQuery<RunEvents>,
) -> Result<Response, Problem> {
    let RunEvents { format, after } = query.filter;
    let after = answer::after(last, after)?;
    if wanted.is_page(format) {
        let page = client.page_run_events(query.scope, run, after).await?;
        return Ok(EventPage::answer(page));
    }
    let followed = client.list_run_events(query.scope, run, after).await?;
    Ok(stream::answer(followed, state.settings.event_heartbeat))
}

/// Follow the events of an account's runs
///
/// As the events of a run, for all runs of one account that the gateway watches, without their steps and logs: runs that it
/// started, that a caller waits for or follows, and, while a caller follows this, those that are started elsewhere. Without
/// `Last-Event-ID` and `after`: from now on. A browser opens six streams to one server at most: one of these serves a page.
#[utoipa::path(get, path = "/events", tag = "events", params(ScopedQuery<Events>, After),
    responses((status = 200, content((EventPage = "application/json"), (String = "text/event-stream", example = json!("id: 17\nevent: run.status\ndata: {\"run_id\":70403104000901,\"status\":\"running\",\"previous\":\"queued\"}\n\n"))))))]
async fn list_events(
    State(state): State<Shared>,
    Dbt(client): Dbt,
    After(last): After,
    wanted: Wanted,
    query: ScopedQuery<Events>,
) -> Result<Response, Problem> {
    let Events {
        project_id,
        job_id,
        environment_id,
        format,
        after,
    } = query.filter;
    let filter = EventFilter {
        project_id,
        job_id,
        environment_id,
        ..EventFilter::default()
    };
    let after = answer::after(last, after)?;
    if wanted.is_page(format) {
        let page = client.page_events(query.scope, filter, after).await?;
        return Ok(EventPage::answer(page));
    }
    let followed = client.list_events(query.scope, filter, after).await?;
    Ok(stream::answer(followed, state.settings.event_heartbeat))
}
