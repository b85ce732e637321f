//! The rows of the request log that the caller's key may see.

mod filters;
mod summary;
mod view;

use axum::BoxError;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use client::RequestLogService;
use futures::StreamExt as _;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::filters::{FilterRequestLogs, ListRequestLogs, cursor_of};
use self::summary::RequestLogSummary;
use self::view::RequestLog;
use crate::extract::{Dbt, NamedUuid, NoQuery, QueryParams};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_request_logs))
        .routes(routes!(export_request_logs))
        .routes(routes!(summarize_request_logs))
        .routes(routes!(get_request_log))
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
struct RequestLogPage {
    /// The address of the next page; null on the last.
    #[schema(example = "https://dbt.acme.example/request-logs?outcome=timeout&cursor=AAZUfM-L…")]
    next: Option<String>,
    /// The newest first.
    results: Vec<RequestLog>,
}

/// List requests on record, the newest first
///
/// An admin sees every request of the company, other roles those of their own key; an admin whose key has an account
/// list sees those of its own key and those about these accounts. Follow `next` for older ones: no request is listed
/// twice. A page may hold fewer than `page_size` entries although more follow.
#[utoipa::path(get, path = "/request-logs", tag = "request log",
    params(QueryParams<ListRequestLogs>),
    responses((status = 200, body = RequestLogPage)))]
async fn list_request_logs(
    Dbt(client): Dbt,
    links: PageLinks,
    QueryParams(query): QueryParams<ListRequestLogs>,
) -> Result<Json<RequestLogPage>, Problem> {
    let page_size = query.page_size.unwrap_or(RequestLogService::DEFAULT_PAGE_SIZE);
    if !(1..=RequestLogService::MAX_PAGE_SIZE).contains(&page_size) {
        let detail = format!(
            "In the query: `page_size` goes from 1 to {}.",
            RequestLogService::MAX_PAGE_SIZE
        );
        return Err(Problem::new(Kind::INVALID_REQUEST, detail));
    }
    let after = query.cursor.map(|cursor| cursor.0);
    let page = client.request_logs().list(&query.filter(), after, page_size).await?;
    Ok(Json(RequestLogPage {
        next: page.next.map(|position| links.with("cursor", &cursor_of(position))),
        results: page.records.into_iter().map(RequestLog::from).collect(),
    }))
}

/// Export requests on record
///
/// All of them, the newest first, each a line of JSON (`application/x-ndjson`). An export that fails is aborted: the
/// connection is closed before the end of the body.
#[utoipa::path(get, path = "/request-logs/export", tag = "request log",
    params(QueryParams<FilterRequestLogs>),
    responses(
        (status = 200, body = RequestLog, content_type = "application/x-ndjson")))]
async fn export_request_logs(
    Dbt(client): Dbt,
    QueryParams(query): QueryParams<FilterRequestLogs>,
) -> Result<Response, Problem> {
    let rows = client.request_logs().export(query.filter()).await?;
    let lines = rows.map(|row| line(&RequestLog::from(row?)));
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response())
}

fn line(view: &RequestLog) -> Result<Vec<u8>, BoxError> {
    let mut line = serde_json::to_vec(view)?;
    line.push(b'\n');
    Ok(line)
}

/// Summarise requests on record
///
/// Counts and durations by request type, over at most 24 hours: until `to`, else now; from `from`, else one hour before.
/// Covers the same requests as the list.
#[utoipa::path(get, path = "/request-logs/summary", tag = "request log",
    params(QueryParams<FilterRequestLogs>),
    responses((status = 200, body = RequestLogSummary)))]
async fn summarize_request_logs(
    Dbt(client): Dbt,
    QueryParams(query): QueryParams<FilterRequestLogs>,
) -> Result<Json<RequestLogSummary>, Problem> {
    Ok(Json(client.request_logs().summarize(&query.filter()).await?.into()))
}

/// Get a request on record
///
/// By the `x-request-id` of its answer.
#[utoipa::path(get, path = "/request-logs/{request_uuid}", tag = "request log",
    params(("request_uuid" = Uuid, Path, description = "The request's name: the `x-request-id` of its answer.")),
    responses((status = 200, body = RequestLog)))]
async fn get_request_log(
    Dbt(client): Dbt,
    NamedUuid(request_uuid): NamedUuid,
    _: NoQuery,
) -> Result<Json<RequestLog>, Problem> {
    let (record, resolution) = client.request_logs().get(request_uuid).await?;
    Ok(Json(RequestLog::from(record).with_resolution(resolution)))
}
