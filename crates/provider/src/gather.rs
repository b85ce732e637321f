//! One page of ours from several of dbt's.

use std::collections::HashSet;
use std::hash::Hash;

use dbt_api::ApiError;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use model::{Listed, Page, PageQuery, Slice};

use crate::exchanges::Why;

/// Fetches exactly the dbt pages that `page` covers, at most `concurrency` at once. The page is whole or an error.
/// Entries keep dbt's order, each id once, since a list may move while it is read.
pub(crate) async fn page<T, Id: Eq + Hash, Answer>(
    page: PageQuery,
    concurrency: usize,
    id: impl Fn(&T) -> Id,
    fetch: impl Fn(Slice, Why) -> Answer,
) -> Result<Page<T>, ApiError>
where
    Answer: Future<Output = Result<Listed<T>, ApiError>>,
{
    let first = fetch(page.first_slice(), Why::Asked).await?;
    let mut results = first.items;
    let count = if let Some(total) = first.total_count {
        // Most lists are one page of dbt's.
        if page.later_slices(total).next().is_some() {
            let rest: Vec<Listed<T>> = stream::iter(page.later_slices(total))
                .map(|slice| fetch(slice, Why::NextPage))
                .buffered(concurrency)
                .try_collect()
                .await?;
            results.extend(rest.into_iter().flat_map(|listed| listed.items));
        }
        total
    } else {
        one_by_one(page, &mut results, &fetch).await?
    };
    let mut seen = HashSet::with_capacity(results.len());
    results.retain(|entry| seen.insert(id(entry)));
    Ok(Page {
        query: page,
        count,
        results,
    })
}

/// dbt Cloud did not say how long the list is: goes on until a page comes short. Returns the length as far as it is
/// known, one more than what was read where the list goes on.
async fn one_by_one<T, Answer>(
    page: PageQuery,
    results: &mut Vec<T>,
    fetch: &impl Fn(Slice, Why) -> Answer,
) -> Result<u64, ApiError>
where
    Answer: Future<Output = Result<Listed<T>, ApiError>>,
{
    let mut full = results.len() >= page.first_slice().limit as usize;
    for slice in page.later_slices(u64::MAX) {
        if !full {
            break;
        }
        let listed = fetch(slice, Why::NextPage).await?;
        full = listed.items.len() >= slice.limit as usize;
        results.extend(listed.items);
    }
    Ok(page.start() + results.len() as u64 + u64::from(full))
}

/// The page that was asked for: dbt Cloud's own, or that of the entries that match, where there is a filter that dbt Cloud
/// does not have; then the whole list is fetched.
pub(crate) async fn gather<T, Id: Eq + Hash, Answer>(
    query: PageQuery,
    concurrency: usize,
    id: impl Fn(&T) -> Id,
    matches: Option<impl Fn(&T) -> bool>,
    fetch: impl Fn(Slice, Why) -> Answer,
) -> Result<Page<T>, ApiError>
where
    Answer: Future<Output = Result<Listed<T>, ApiError>>,
{
    let Some(matches) = matches else {
        return page(query, concurrency, id, fetch).await;
    };
    let mut entries = whole_list(concurrency, id, fetch).await?;
    entries.retain(matches);
    Ok(Page::from_full_list(query, entries))
}

async fn whole_list<T, Id: Eq + Hash, Answer>(
    concurrency: usize,
    id: impl Fn(&T) -> Id,
    fetch: impl Fn(Slice, Why) -> Answer,
) -> Result<Vec<T>, ApiError>
where
    Answer: Future<Output = Result<Listed<T>, ApiError>>,
{
    let mut entries = Vec::new();
    let mut seen = HashSet::new();
    let mut next = Some(PageQuery::LARGEST);
    while let Some(query) = next {
        let gathered = page(query, concurrency, &id, &fetch).await?;
        next = gathered.next();
        // The list may move between two of these pages as well.
        entries.extend(gathered.results.into_iter().filter(|entry| seen.insert(id(entry))));
    }
    Ok(entries)
}
