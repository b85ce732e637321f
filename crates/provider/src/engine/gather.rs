//! One page of the gateway's lists, made of several of dbt's.
//!
//! A page up to `hold_max_bytes` is held whole, and its row is committed before it leaves. A longer one leaves as it is read,
//! in order: at most `window_max_bytes` of it are in memory.

use std::sync::Arc;

use dbt_api::ApiError;
use futures::stream::{self, BoxStream, StreamExt as _};
use model::{HasId, ListFilter, Page, PageQuery, Slice};

use crate::ProviderError;
use crate::engine::slices::{ListSlice, Part, Slices};
use crate::engine::whole_list::WholeList;
use crate::exchanges::Why;

/// The parts of a page, in order.
type Parts<T> = BoxStream<'static, Result<Part<T>, ApiError>>;

/// A page, or as much of it as is held.
pub(crate) enum Gathered<T> {
    Whole(Page<T>),
    Long(LongPage<T>),
}

/// A page longer than `hold_max_bytes`, each id once.
pub(crate) struct LongPage<T> {
    pub(crate) beginning: Page<T>,
    /// The length of dbt's answers that the beginning is made of.
    pub(crate) beginning_bytes: u64,
    pub(crate) rest: Parts<T>,
}

impl<Filter, List> Slices<Filter, List> {
    /// The page of the list. Where dbt Cloud does not support a part of the filter, the whole list is read and filtered
    /// here.
    pub(crate) async fn page<T>(self: Arc<Self>, page: PageQuery) -> Result<Gathered<T>, ProviderError>
    where
        T: HasId + Send + 'static,
        Filter: ListFilter<T> + Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        if !self.filter.is_supported() {
            return self.filtered(page).await.map(Gathered::Whole);
        }
        let (slice, hold_max) = (page.first_slice(), self.settings.hold_max_bytes);
        let first = Arc::clone(&self).fetch(slice, Why::Asked).await?;
        let (count, first_bytes) = (first.total_count, first.bytes);
        let mut list = WholeList::new(Arc::clone(&self), page.start()..page.end(), slice, first);
        if let Some(count) = count {
            list.read_ahead(self.ahead(page.later_slices(count), first_bytes, hold_max).await?);
        }
        let (mut results, mut held_bytes) = (Vec::new(), 0);
        while let Some(part) = list.next().await? {
            held_bytes += part.bytes;
            results.extend(part.items);
            // The head of a streamed page has the length of the list.
            if let Some(count) = list.total()
                && held_bytes > hold_max
                && list.continues()
            {
                let rest = stream::try_unfold(list, |mut list| async move {
                    let part = list.next().await?;
                    Ok(part.map(|part| (part, list)))
                });
                let query = page;
                return Ok(Gathered::Long(LongPage {
                    beginning: Page { query, count, results },
                    beginning_bytes: held_bytes,
                    rest: rest.boxed(),
                }));
            }
        }
        let known = page.start() + results.len() as u64;
        let count = match list.total() {
            Some(total) if results.is_empty() => total,
            Some(total) => total.max(known),
            // The known length: one more than what was read where the list continues.
            None => list.offset() + u64::from(!list.is_over()),
        };
        Ok(Gathered::Whole(Page {
            query: page,
            count,
            results,
        }))
    }

    /// Reads the whole list and keeps the page of the entries that match.
    async fn filtered<T>(self: Arc<Self>, page: PageQuery) -> Result<Page<T>, ProviderError>
    where
        T: HasId + Send + 'static,
        Filter: ListFilter<T> + Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let too_much = || ProviderError::TooMuch("gather.max_filtered_pages");
        let slice = Slice::whole(0);
        let first = Arc::clone(&self).fetch(slice, Why::Asked).await?;
        let (total, first_bytes) = (first.total_count, first.bytes);
        let max_pages = self.settings.max_filtered_pages as u64;
        let end = Slice::whole(max_pages).offset;
        if total.is_some_and(|total| total > end) {
            return Err(too_much());
        }
        // One entry beyond the limit shows that there are more.
        let mut list = WholeList::new(Arc::clone(&self), 0..end + 1, slice, first);
        if let Some(total) = total {
            let later = (1..max_pages).map(Slice::whole);
            let later = later.take_while(move |slice| slice.offset < total);
            list.read_ahead(self.ahead(later, first_bytes, 0).await?);
        }
        let mut matches = Matches {
            page,
            count: 0,
            results: Vec::new(),
        };
        while let Some(Part { items, bytes, .. }) = list.next().await? {
            if list.offset() > end {
                return Err(too_much());
            }
            let read = items.len() as u64;
            let kept = matches.add(items, &self.filter);
            self.call.free_bytes(bytes - bytes * kept / read.max(1));
        }
        Ok(Page {
            query: page,
            count: matches.count,
            results: matches.results,
        })
    }
}

/// The page of the entries that match a filter.
struct Matches<T> {
    page: PageQuery,
    count: u64,
    results: Vec<T>,
}

impl<T> Matches<T> {
    /// Returns how many of the entries are on the page.
    fn add(&mut self, items: Vec<T>, filter: &impl ListFilter<T>) -> u64 {
        let before = self.results.len();
        for entry in items {
            if filter.matches(&entry) {
                if (self.page.start()..self.page.end()).contains(&self.count) {
                    self.results.push(entry);
                }
                self.count += 1;
            }
        }
        (self.results.len() - before) as u64
    }
}
