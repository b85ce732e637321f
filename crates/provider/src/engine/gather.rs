//! One page of the gateway's lists, made of several of dbt's.
//!
//! A page up to `hold_max_bytes` is held whole, and its row is committed before it leaves. A longer one leaves as it is read,
//! in order: at most `window_max_bytes` of it are in memory.

use std::collections::HashSet;
use std::sync::Arc;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use model::{DBT_PAGE_LIMIT, HasId, ListFilter, Listed, Page, PageQuery, Slice, Upstream};

use crate::engine::Call;
use crate::exchanges::Why;
use crate::{GatherSettings, ProviderError};

/// A method of `dyn WrappedApi` that reads one slice of a list: `<dyn WrappedApi>::list_projects`.
pub(crate) trait ListSlice<'a, T, Filter: 'a>:
    Fn(&'a (dyn WrappedApi + 'static), &'a Upstream, &'a Filter, Slice) -> Self::Answer + Send + Sync
{
    /// The future of the answer.
    type Answer: Future<Output = Result<ApiResponse<Listed<T>>, ApiError>> + Send;
}

impl<'a, T, Filter: 'a, List, Answer> ListSlice<'a, T, Filter> for List
where
    List: Fn(&'a (dyn WrappedApi + 'static), &'a Upstream, &'a Filter, Slice) -> Answer + Send + Sync,
    Answer: Future<Output = Result<ApiResponse<Listed<T>>, ApiError>> + Send,
{
    type Answer = Answer;
}

/// A list at dbt Cloud.
pub(crate) struct Gather<Filter, List> {
    pub(crate) call: Call,
    pub(crate) filter: Filter,
    pub(crate) list: List,
    pub(crate) settings: GatherSettings,
}

/// One slice of dbt's, with the length of its answer.
pub(crate) struct Part<T> {
    pub(crate) items: Vec<T>,
    total_count: Option<u64>,
    pub(crate) bytes: u64,
}

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

impl<Filter, List> Gather<Filter, List> {
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
        let first = Arc::clone(&self).fetch(page.first_slice(), Why::Asked).await?;
        let mut seen = HashSet::new();
        let Some(count) = first.total_count else {
            return Ok(Gathered::Whole(self.until_short(page, first, seen).await?));
        };
        let (hold_max, mut held_bytes) = (self.settings.hold_max_bytes, first.bytes);
        let mut results = once_each(first.items, &mut seen);
        let mut unread = page.later_slices(count).count();
        let mut rest = self.parts(page.later_slices(count), held_bytes, hold_max).await?;
        while unread > 0 && held_bytes <= hold_max {
            let Some(part) = rest.try_next().await? else { break };
            unread -= 1;
            held_bytes += part.bytes;
            results.extend(once_each(part.items, &mut seen));
        }
        let query = page;
        if unread == 0 {
            return Ok(Gathered::Whole(Page { query, count, results }));
        }
        let rest = rest.map_ok(move |part| Part {
            items: once_each(part.items, &mut seen),
            ..part
        });
        Ok(Gathered::Long(LongPage {
            beginning: Page { query, count, results },
            beginning_bytes: held_bytes,
            rest: rest.boxed(),
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
        let max_pages = self.settings.max_filtered_pages;
        let first = Arc::clone(&self).fetch(Slice::whole(0), Why::Asked).await?;
        let total = first.total_count;
        let later = (1..max_pages as u64).map(Slice::whole);
        let mut parts = match total {
            Some(total) if total > Slice::whole(max_pages as u64).offset => return Err(too_much()),
            Some(total) => {
                let later = later.take_while(move |slice| slice.offset < total);
                self.parts(later, first.bytes, 0).await?
            }
            None => self.one_by_one(later),
        };
        let mut matches = Matches {
            page,
            count: 0,
            results: Vec::new(),
            seen: HashSet::new(),
        };
        let (mut part, mut pages) = (Some(first), 0);
        while let Some(Part { items, bytes, .. }) = part {
            pages += 1;
            let read = items.len() as u64;
            let kept = matches.add(items, &self.filter);
            self.call.free_bytes(bytes - bytes * kept / read.max(1));
            // Without a total the list ends with a slice that is not full.
            let is_last = total.is_none() && read < u64::from(DBT_PAGE_LIMIT);
            part = if is_last { None } else { parts.try_next().await? };
            if part.is_none() && !is_last && total.is_none() && pages >= max_pages {
                return Err(too_much());
            }
        }
        Ok(Page {
            query: page,
            count: matches.count,
            results: matches.results,
        })
    }

    /// Reads on until a slice is short, for a list whose length dbt Cloud does not send. Its count is the known length: one
    /// more than what was read where the list continues.
    async fn until_short<T>(
        self: &Arc<Self>,
        page: PageQuery,
        first: Part<T>,
        mut seen: HashSet<T::Id>,
    ) -> Result<Page<T>, ApiError>
    where
        T: HasId + Send + 'static,
        Filter: Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let mut read = first.items.len() as u64;
        let mut full = read >= u64::from(page.first_slice().limit);
        let mut results = once_each(first.items, &mut seen);
        for slice in page.later_slices(u64::MAX) {
            if !full {
                break;
            }
            let part = Arc::clone(self).fetch(slice, Why::NextPage).await?;
            read += part.items.len() as u64;
            full = part.items.len() >= slice.limit as usize;
            results.extend(once_each(part.items, &mut seen));
        }
        Ok(Page {
            query: page,
            count: page.start() + read + u64::from(full),
            results,
        })
    }

    /// The slices, in order, as many concurrently as the settings and the length of a first slice allow. Their memory is
    /// reserved in one step, together with that of `held_bytes` that the caller keeps, so that two lists never wait for each
    /// other.
    async fn parts<T>(
        self: &Arc<Self>,
        slices: impl Iterator<Item = Slice> + Send + 'static,
        first_bytes: u64,
        held_bytes: u64,
    ) -> Result<Parts<T>, ApiError>
    where
        T: HasId + Send + 'static,
        Filter: Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let slices: Vec<_> = slices.collect();
        if slices.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let held_bytes = held_bytes.min(slices.len() as u64 * first_bytes);
        // An answer and its entries.
        let each = 2 * first_bytes.max(1);
        let window = (self.settings.window_max_bytes / each).clamp(1, self.settings.concurrency as u64);
        self.call.reserve_bytes(held_bytes + window * each).await?;
        let gather = Arc::clone(self);
        Ok(stream::iter(slices)
            .map(move |slice| Arc::clone(&gather).fetch(slice, Why::NextPage))
            .buffered(usize::try_from(window).unwrap_or(1))
            .boxed())
    }

    /// The slices in order, each read when it is wanted.
    fn one_by_one<T>(self: &Arc<Self>, slices: impl Iterator<Item = Slice> + Send + 'static) -> Parts<T>
    where
        T: HasId + Send + 'static,
        Filter: Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let gather = Arc::clone(self);
        stream::iter(slices)
            .then(move |slice| Arc::clone(&gather).fetch(slice, Why::NextPage))
            .boxed()
    }

    async fn fetch<T>(self: Arc<Self>, slice: Slice, why: Why) -> Result<Part<T>, ApiError>
    where
        T: Send + 'static,
        Filter: Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let Self { call, filter, list, .. } = &*self;
        let sized = |answer: ApiResponse<Listed<T>>| {
            let bytes = answer.bytes;
            answer.map(|listed| Part {
                items: listed.items,
                total_count: listed.total_count,
                bytes,
            })
        };
        let operation = call.operation();
        call.exchange(operation, why, |api, to| {
            let answer = list(api, to, filter, slice);
            async move { answer.await.map(sized) }
        })
        .await
    }
}

/// The page of the entries that match a filter.
struct Matches<T: HasId> {
    page: PageQuery,
    count: u64,
    results: Vec<T>,
    /// The list may change while it is read.
    seen: HashSet<T::Id>,
}

impl<T: HasId> Matches<T> {
    /// Returns how many of the entries are on the page.
    fn add(&mut self, items: Vec<T>, filter: &impl ListFilter<T>) -> u64 {
        let before = self.results.len();
        for entry in items {
            if filter.matches(&entry) && self.seen.insert(entry.id()) {
                if (self.page.start()..self.page.end()).contains(&self.count) {
                    self.results.push(entry);
                }
                self.count += 1;
            }
        }
        (self.results.len() - before) as u64
    }
}

/// The entries that were not seen yet: a list may change while it is read.
fn once_each<T: HasId>(mut items: Vec<T>, seen: &mut HashSet<T::Id>) -> Vec<T> {
    items.retain(|entry| seen.insert(entry.id()));
    items
}
