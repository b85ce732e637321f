//! A page of a list: whole, or written as it is read.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use client::{Listing, StreamAborted, StreamedPage};
use futures::{StreamExt as _, stream};
use model::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::json::{JSON, Json};
use crate::page_links::PageLinks;
use crate::problem::Problem;

/// A page of a list, in dbt Cloud's order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The length of the whole list.
    #[schema(example = 1234)]
    count: u64,
    /// The address of the next page; null on the last.
    #[schema(example = "https://dbt.acme.example/projects?page_size=1000&page=2")]
    next: Option<String>,
    /// The address of the previous page; null on the first.
    #[schema(example = json!(null))]
    previous: Option<String>,
    /// The page's entries. The last field: a streamed page appends them.
    results: Vec<T>,
}

impl<T> List<T> {
    fn new(page: Page<T>, links: &PageLinks) -> Self {
        Self {
            count: page.count,
            next: page.next().map(|page| links.to(page)),
            previous: page.previous().map(|page| links.to(page)),
            results: page.results,
        }
    }
}

/// The answer with a page of a list.
pub(crate) struct ListAnswer(Response);

impl ListAnswer {
    pub(crate) fn new<T: Serialize>(listing: impl Into<Listing<T>>, links: &PageLinks) -> Self {
        Self(match listing.into() {
            Listing::Whole(page) => Json(List::new(page, links)).into_response(),
            Listing::Streamed(page) => streamed(page, links),
        })
    }
}

impl IntoResponse for ListAnswer {
    fn into_response(self) -> Response {
        self.0
    }
}

/// The head, the entries, the end. Where an entry is missing, the connection is aborted before the end.
fn streamed<T: Serialize>(page: StreamedPage<T>, links: &PageLinks) -> Response {
    const END: &str = "]}";
    let StreamedPage { head, entries } = page;
    let head = match serde_json::to_string(&List::new(head, links)) {
        Ok(head) => head,
        Err(error) => return Problem::internal(format!("an answer cannot be serialised: {error}")).into_response(),
    };
    let head = Bytes::from(head.trim_end_matches(END).to_owned());
    let ok = |bytes| stream::iter([Ok::<_, StreamAborted>(bytes)]);
    let body = ok(head).chain(entries).chain(ok(Bytes::from_static(END.as_bytes())));
    ([(header::CONTENT_TYPE, JSON)], Body::from_stream(body)).into_response()
}
