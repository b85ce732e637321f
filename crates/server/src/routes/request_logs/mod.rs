//! The request log of a company, as far as the caller's key may see it.

mod filters;

use axum::BoxError;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use client::RequestLogService;
use futures::StreamExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Dbt, NamedUuid, NoQuery, QueryParams};
use crate::json::Json;
use crate::page_links::PageLinks;
use crate::problem::{Kind, Problem};
use crate::views::{RequestLogView, SummaryView};
use filters::{FilterRequestLogs, ListRequestLogs, cursor_of};

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequestLogPage {
    /// The address of the next page; null on the last.
    #[schema(example = "https://dbt.acme.example/request-logs?outcome=timeout&cursor=AAZUfM-L…")]
    next: Option<String>,
    /// The newest first.
    results: Vec<RequestLogView>,
}

/// List requests on record, the newest first
///
/// An admin sees every request of the company, other roles those of their own key; an admin whose key has an account
/// list sees those of its own key and those about these accounts. Follow `next` for older ones: no request comes twice,
/// whatever arrives meanwhile. A page may hold less than `page_size` although there are more.
#[utoipa::path(get, path = "/request-logs", operation_id = "list_request_logs", tag = "request log",
    params(ListRequestLogs),
    responses((status = 200, body = RequestLogPage),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The search took too long: narrow it.")))]
pub(crate) async fn list_request_logs(
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
        results: page.records.into_iter().map(RequestLogView::from).collect(),
    }))
}

/// Export requests on record
///
/// As many as there are, the newest first, each a line of JSON (`application/x-ndjson`), whatever their number. An
/// export that cannot be ended is broken off: the connection is closed before the end of the body.
#[utoipa::path(get, path = "/request-logs/export", operation_id = "export_request_logs", tag = "request log",
    params(FilterRequestLogs),
    responses(
        (status = 200, body = RequestLogView, content_type = "application/x-ndjson"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The search took too long: narrow it.")))]
pub(crate) async fn export_request_logs(
    Dbt(client): Dbt,
    QueryParams(query): QueryParams<FilterRequestLogs>,
) -> Result<Response, Problem> {
    let rows = client.request_logs().export(query.filter()).await?;
    let lines = rows.map(|row| line(&RequestLogView::from(row?)));
    Ok((
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response())
}

fn line(view: &RequestLogView) -> Result<Vec<u8>, BoxError> {
    let mut line = serde_json::to_vec(view)?;
    line.push(b'\n');
    Ok(line)
}

/// Count requests on record, and how long they took
///
/// By request type, over at most 24 hours: until `to`, else now; from `from`, else an hour before. Of the same requests as
/// the list shows.
#[utoipa::path(get, path = "/request-logs/summary", operation_id = "summarize_request_logs", tag = "request log",
    params(FilterRequestLogs),
    responses((status = 200, body = SummaryView),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The search took too long: narrow it.")))]
pub(crate) async fn summarize_request_logs(
    Dbt(client): Dbt,
    QueryParams(query): QueryParams<FilterRequestLogs>,
) -> Result<Json<SummaryView>, Problem> {
    Ok(Json(client.request_logs().summarize(&query.filter()).await?.into()))
}

/// Get a request on record
///
/// By the `x-request-id` of its answer.
#[utoipa::path(get, path = "/request-logs/{request_uuid}", operation_id = "get_request_log", tag = "request log",
    params(("request_uuid" = Uuid, Path, description = "The request's name: the `x-request-id` of its answer.")),
    responses((status = 200, body = RequestLogView),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The search took too long: narrow it.")))]
pub(crate) async fn get_request_log(
    Dbt(client): Dbt,
    NamedUuid(request_uuid): NamedUuid,
    _: NoQuery,
) -> Result<Json<RequestLogView>, Problem> {
    Ok(Json(client.request_logs().get(request_uuid).await?.into()))
}
