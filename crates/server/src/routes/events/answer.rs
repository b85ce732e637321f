//! The form of an answer, where it begins, and a page of events.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use client::{EventsPage, RunEvent};
use model::RunEventData;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{KnownFormat, ObjectBuilder, Required, SchemaFormat, Type};
use utoipa::{IntoParams, ToSchema};

use crate::json::Json;
use crate::problem::{Kind, Problem};
use crate::words::EventName;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventForm {
    Json,
}

/// The form that the header `Accept` asks for.
pub(super) struct Wanted {
    accepts_json_alone: bool,
}

impl Wanted {
    /// Whether the answer is a page.
    pub(super) fn is_page(&self, form: Option<EventForm>) -> bool {
        form == Some(EventForm::Json) || self.accepts_json_alone
    }
}

impl<S: Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accepts = |of: &str| accepted(&parts.headers).any(|each| each.starts_with(of));
        Ok(Self {
            accepts_json_alone: accepts("application/json") && !accepts("text/event-stream") && !accepts("*/*"),
        })
    }
}

fn accepted(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The header `Last-Event-ID`, as browsers send it when they connect again.
pub(super) struct After(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(LAST_EVENT_ID) else {
            return Ok(Self(None));
        };
        let text = value.to_str().map_err(|_| not_an_id())?.trim();
        // Empty: no event has arrived yet.
        Ok(Self((!text.is_empty()).then(|| text.to_owned())))
    }
}

impl IntoParams for After {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = ParameterBuilder::new()
            .name(LAST_EVENT_ID.as_str())
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The `id` of the last event that arrived: only later ones are sent.",
            ))
            .schema(Some(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                    .minimum(Some(0))
                    .build(),
            ));
        vec![parameter.example(Some(0.into())).build()]
    }
}

/// After which event: the header comes before the query, which a browser repeats unchanged.
pub(super) fn after(header: Option<String>, query: Option<i64>) -> Result<Option<i64>, Problem> {
    let after = match header {
        Some(text) => Some(text.parse().map_err(|_| not_an_id())?),
        None => query,
    };
    match after {
        Some(..0) => Err(not_an_id()),
        after => Ok(after),
    }
}

fn not_an_id() -> Problem {
    let detail = "`Last-Event-ID` and `after` are the `id` of an event: a number from 0.";
    Problem::new(Kind::INVALID_REQUEST, detail)
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"next": 17, "gap": null, "is_finished": false, "results": [{
    "id": 17, "event": "run.status", "at": "2026-03-19T02:00:12.559970Z",
    "data": {"run_id": 70_403_104_000_901_i64, "status": "running", "previous": "queued"}
}]}))]
pub(super) struct EventPage {
    /// The `after` of the next page. There may be more events at once, or later.
    #[schema(minimum = 0)]
    next: i64,
    /// Events before this one are missing: they are kept for `events.retention_hours`.
    #[schema(minimum = 1)]
    gap: Option<i64>,
    /// Whether no further event comes: the run has ended.
    is_finished: bool,
    /// The oldest first.
    results: Vec<EventOfRun>,
}

/// An event of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 17, "event": "run.status", "at": "2026-03-19T02:00:12.559970Z",
    "data": {"run_id": 70_403_104_000_901_i64, "status": "running", "previous": "queued"}
}))]
struct EventOfRun {
    /// Its number among the events of the account.
    #[schema(minimum = 1)]
    id: i64,
    /// What it says.
    #[schema(value_type = EventName)]
    event: &'static str,
    /// When it was recorded.
    at: DateTime<Utc>,
    /// The data.
    #[schema(value_type = RunEventData)]
    data: Box<RawValue>,
}

impl EventPage {
    pub(super) fn answer(page: EventsPage) -> Response {
        let events: Result<Vec<EventOfRun>, _> = page.events.into_iter().map(event).collect();
        match events {
            Ok(results) => Json(Self {
                next: page.next,
                gap: page.gap,
                is_finished: page.is_finished,
                results,
            })
            .into_response(),
            Err(error) => Problem::internal(format!("an event is no JSON: {error}")).into_response(),
        }
    }
}

fn event(of: RunEvent) -> Result<EventOfRun, serde_json::Error> {
    Ok(EventOfRun {
        id: of.seq,
        event: of.event.kind.as_str(),
        at: of.at,
        data: RawValue::from_string(of.event.data)?,
    })
}
