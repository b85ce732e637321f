//! One page of the gateway's lists from several of dbt's.

use std::collections::HashSet;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use model::{HasId, ListFilter, Listed, Page, PageQuery, Slice, Upstream};

use crate::ProviderError;
use crate::engine::Call;
use crate::exchanges::Why;

impl Call {
    /// The page of the request's own list. Where dbt Cloud does not support a part of the filter, the whole list is read
    /// and filtered here. The page is whole or an error.
    pub(crate) async fn gather<'a, T, Filter, Answer>(
        &'a self,
        page: PageQuery,
        filter: &'a Filter,
        list: impl Fn(&'a (dyn WrappedApi + 'static), &'a Upstream, &'a Filter, Slice) -> Answer,
    ) -> Result<Page<T>, ProviderError>
    where
        T: HasId,
        Filter: ListFilter<T>,
        Answer: Future<Output = Result<ApiResponse<Listed<T>>, ApiError>>,
    {
        let list = &list;
        let fetch = |slice, why| self.exchange(self.operation(), why, move |api, to| list(api, to, filter, slice));
        if filter.is_supported() {
            return Ok(self.page(page, &fetch).await?);
        }
        let mut entries = self.whole_list(&fetch).await?;
        entries.retain(|entry| filter.matches(entry));
        Ok(Page::from_full_list(page, entries))
    }

    /// Fetches exactly the dbt pages that `page` covers, `gather_concurrency` at a time. Entries keep dbt's order, each id
    /// once, since a list may change while it is read.
    async fn page<T: HasId, Answer>(
        &self,
        page: PageQuery,
        fetch: &impl Fn(Slice, Why) -> Answer,
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
                    .buffered(self.gather_concurrency)
                    .try_collect()
                    .await?;
                results.extend(rest.into_iter().flat_map(|listed| listed.items));
            }
            total
        } else {
            until_short(page, &mut results, fetch).await?
        };
        let mut seen = HashSet::with_capacity(results.len());
        results.retain(|entry| seen.insert(entry.id()));
        Ok(Page {
            query: page,
            count,
            results,
        })
    }

    async fn whole_list<T: HasId, Answer>(&self, fetch: &impl Fn(Slice, Why) -> Answer) -> Result<Vec<T>, ApiError>
    where
        Answer: Future<Output = Result<Listed<T>, ApiError>>,
    {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(PageQuery::LARGEST);
        while let Some(query) = next {
            let page = self.page(query, fetch).await?;
            next = page.next();
            // The list may change between two of these pages too.
            entries.extend(page.results.into_iter().filter(|entry| seen.insert(entry.id())));
        }
        Ok(entries)
    }
}

/// Reads on until a page is short, for a list whose length dbt Cloud does not send. Returns the known length: one more
/// than what was read where the list continues.
async fn until_short<T, Answer>(
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
