//! A page of a list.

use model::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::page_links::PageLinks;

/// A page of a list: whole, in dbt Cloud's order.
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
    /// The page's entries.
    results: Vec<T>,
}

impl<T> List<T> {
    pub(crate) fn new(page: Page<T>, links: &PageLinks) -> Self {
        Self {
            count: page.count,
            next: page.next().map(|page| links.to(page)),
            previous: page.previous().map(|page| links.to(page)),
            results: page.results,
        }
    }
}
