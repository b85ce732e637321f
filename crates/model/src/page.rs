//! Pages: ours (as callers ask), dbt's (as it serves them), and how one covers the other.

use serde::Serialize;

/// dbt Cloud serves at most this many entries a page ("can be an integer up to 100").
pub const DBT_PAGE_LIMIT: u32 = 100;

/// A page as a caller asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PageQuery {
    page: u32,
    page_size: u32,
}

impl PageQuery {
    /// The page size when the caller names none.
    pub const DEFAULT_SIZE: u32 = 1000;
    /// The largest page a caller may ask for.
    pub const MAX_SIZE: u32 = 10_000;
    /// The last page that can be asked for: beyond it offsets leave 32 bits, far past any list of dbt Cloud.
    pub const MAX_PAGE: u32 = 400_000;

    /// The first page at the largest size.
    pub const LARGEST: Self = Self {
        page: 1,
        page_size: Self::MAX_SIZE,
    };

    /// `page` counts from 1. `None` when `page` is outside 1..=[`Self::MAX_PAGE`] or `page_size` outside
    /// 1..=[`Self::MAX_SIZE`].
    pub fn new(page: u32, page_size: u32) -> Option<Self> {
        ((1..=Self::MAX_PAGE).contains(&page) && (1..=Self::MAX_SIZE).contains(&page_size))
            .then_some(Self { page, page_size })
    }

    /// The page's number, from 1.
    pub fn page(self) -> u32 {
        self.page
    }

    /// How many entries a full page holds.
    pub fn page_size(self) -> u32 {
        self.page_size
    }

    /// The offset of the page's first entry in the whole list, from 0.
    pub fn start(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.page_size)
    }

    /// The offset just past the page's last entry.
    pub fn end(self) -> u64 {
        self.start() + u64::from(self.page_size)
    }

    /// This page's part of a list that is known whole.
    pub fn part_of<T>(self, list: &[T]) -> &[T] {
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(list.len());
        &list[place(self.start())..place(self.end())]
    }

    /// The first of dbt's pages that this page needs; the others depend on how long the list is.
    pub fn first_slice(self) -> Slice {
        Slice {
            offset: self.start(),
            limit: self.page_size.min(DBT_PAGE_LIMIT),
        }
    }

    /// dbt's pages after [`Self::first_slice`] that hold the rest of this page, for a list of `total` entries.
    pub fn later_slices(self, total: u64) -> impl Iterator<Item = Slice> + use<> {
        let end = self.end().min(total);
        let mut offset = self.start() + u64::from(self.first_slice().limit);
        std::iter::from_fn(move || {
            let left = u32::try_from(end.checked_sub(offset)?).unwrap_or(u32::MAX);
            let slice = Slice {
                offset,
                limit: left.min(DBT_PAGE_LIMIT),
            };
            offset += u64::from(slice.limit);
            (slice.limit > 0).then_some(slice)
        })
    }
}

/// One of dbt Cloud's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slice {
    /// How many entries of the whole list come before, from 0.
    pub offset: u64,
    /// At most how many entries, 1..=[`DBT_PAGE_LIMIT`].
    pub limit: u32,
}

/// One of dbt Cloud's pages, answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries, in dbt's order.
    pub items: Vec<T>,
    /// `extra.pagination.total_count`; `None` where dbt does not say.
    pub total_count: Option<u64>,
}

/// A page of ours, gathered whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was asked for.
    pub query: PageQuery,
    /// How many entries the whole list holds, by dbt's `total_count`.
    pub count: u64,
    /// The page's entries, in dbt's order, each id once.
    pub results: Vec<T>,
}

impl<T> Page<T> {
    /// The page of a list that is known whole.
    pub fn from_full_list(query: PageQuery, list: Vec<T>) -> Self {
        let count = list.len() as u64;
        let start = usize::try_from(query.start()).unwrap_or(usize::MAX);
        let results = list.into_iter().skip(start).take(query.page_size as usize).collect();
        Self { query, count, results }
    }

    /// What to ask for to get the next page, if the list goes on.
    pub fn next(&self) -> Option<PageQuery> {
        let next = PageQuery {
            page: self.query.page + 1,
            ..self.query
        };
        (self.query.end() < self.count && next.page <= PageQuery::MAX_PAGE).then_some(next)
    }

    /// What to ask for to get the previous page, if this is not the first.
    pub fn previous(&self) -> Option<PageQuery> {
        (self.query.page > 1).then(|| PageQuery {
            page: self.query.page - 1,
            ..self.query
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(page: u32, size: u32, total: u64) -> Vec<(u64, u32)> {
        let query = PageQuery::new(page, size).unwrap();
        std::iter::once(query.first_slice())
            .chain(query.later_slices(total))
            .map(|slice| (slice.offset, slice.limit))
            .collect()
    }

    #[test]
    fn only_the_dbt_pages_that_the_asked_page_covers_are_named() {
        let third = offsets(3, 1000, 5000);
        assert_eq!(third.len(), 10);
        assert_eq!((third[0], third[9]), ((2000, 100), (2900, 100)));
    }

    #[test]
    fn a_short_list_needs_no_more_than_it_holds() {
        assert_eq!(offsets(1, 1000, 2), [(0, 100)]);
        assert_eq!(offsets(1, 1000, 250), [(0, 100), (100, 100), (200, 50)]);
        assert_eq!(offsets(1, 10, 250), [(0, 10)]);
        assert_eq!(offsets(2, 150, 1000), [(150, 100), (250, 50)]);
        assert_eq!(offsets(9, 1000, 250), [(8000, 100)]);
    }

    #[test]
    fn pages_and_sizes_out_of_range_are_refused() {
        for (page, size) in [(0, 10), (1, 0), (1, 10_001), (PageQuery::MAX_PAGE + 1, 1)] {
            assert_eq!(PageQuery::new(page, size), None, "{page} {size}");
        }
    }

    #[test]
    fn next_and_previous_end_where_the_list_ends() {
        let query = |number| PageQuery::new(number, 100);
        let page = |number, count| Page::<()> {
            query: query(number).unwrap(),
            count,
            results: vec![],
        };
        assert_eq!(
            (page(1, 100).next(), page(1, 101).next(), page(2, 101).next()),
            (None, query(2), None)
        );
        assert_eq!((page(1, 100).previous(), page(3, 100).previous()), (None, query(2)));
    }

    #[test]
    fn a_page_of_a_whole_list_is_its_part() {
        let part = |number| Page::from_full_list(PageQuery::new(number, 2).unwrap(), vec![1, 2, 3]);
        assert_eq!(
            (part(1).results, part(2).results, part(3).results),
            (vec![1, 2], vec![3], vec![])
        );
        assert_eq!(
            (part(1).count, part(1).next().is_some(), part(2).next()),
            (3, true, None)
        );
    }
}
