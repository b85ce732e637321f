//! Pages of lists: the gateway's pages, and the slices that dbt Cloud serves, of which a page is made.

use serde::Serialize;

/// The largest number of entries in one answer of dbt Cloud ("can be an integer up to 100").
pub const DBT_PAGE_LIMIT: u32 = 100;

/// The page that a caller requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PageQuery {
    page: u32,
    page_size: u32,
}

impl PageQuery {
    /// The default page size.
    pub const DEFAULT_SIZE: u32 = 1000;
    /// The largest page size.
    pub const MAX_SIZE: u32 = 10_000;
    /// The last page that can be requested. Beyond it offsets exceed 32 bits.
    pub const MAX_PAGE: u32 = 400_000;

    /// The first page with the largest size.
    pub const LARGEST: Self = Self {
        page: 1,
        page_size: Self::MAX_SIZE,
    };

    /// `page` counts from 1. `None` if `page` is outside 1..=[`Self::MAX_PAGE`] or `page_size` outside
    /// 1..=[`Self::MAX_SIZE`].
    pub fn new(page: u32, page_size: u32) -> Option<Self> {
        ((1..=Self::MAX_PAGE).contains(&page) && (1..=Self::MAX_SIZE).contains(&page_size))
            .then_some(Self { page, page_size })
    }

    /// The number of the page, from 1.
    pub fn page(self) -> u32 {
        self.page
    }

    /// The number of entries of a full page.
    pub fn page_size(self) -> u32 {
        self.page_size
    }

    /// The offset of the page's first entry, from 0.
    pub fn start(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.page_size)
    }

    /// The offset after the page's last entry.
    pub fn end(self) -> u64 {
        self.start() + u64::from(self.page_size)
    }

    /// This page of a complete list.
    pub fn part_of<T>(self, list: &[T]) -> &[T] {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(list.len());
        &list[index(self.start())..index(self.end())]
    }

    /// The next page of a list of `count` entries, unless this is the last.
    pub fn next(self, count: u64) -> Option<Self> {
        let next = Self {
            page: self.page + 1,
            ..self
        };
        (self.end() < count && next.page <= Self::MAX_PAGE).then_some(next)
    }

    /// The first slice of this page; the others depend on the length of the list.
    pub fn first_slice(self) -> Slice {
        Slice {
            offset: self.start(),
            limit: self.page_size.min(DBT_PAGE_LIMIT),
        }
    }

    /// The slices of this page after [`Self::first_slice`], for a list of `total` entries.
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

/// Offset and limit of one list request to dbt Cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slice {
    /// The offset of the first entry, from 0.
    pub offset: u64,
    /// The largest number of entries, 1..=[`DBT_PAGE_LIMIT`].
    pub limit: u32,
}

impl Slice {
    /// The slice with that number, from 0, of a list in slices of [`DBT_PAGE_LIMIT`].
    pub fn whole(number: u64) -> Self {
        Self {
            offset: number * u64::from(DBT_PAGE_LIMIT),
            limit: DBT_PAGE_LIMIT,
        }
    }
}

/// The answer to one list request to dbt Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries, in dbt's order.
    pub items: Vec<T>,
    /// `extra.pagination.total_count`; `None` if dbt Cloud does not send it.
    pub total_count: Option<u64>,
}

/// A complete page of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The requested page.
    pub query: PageQuery,
    /// The length of the whole list, by dbt's `total_count`.
    pub count: u64,
    /// The entries of the page, in dbt's order, each id once.
    pub results: Vec<T>,
}

impl<T> Page<T> {
    /// One page of a complete list.
    pub fn from_full_list(query: PageQuery, list: Vec<T>) -> Self {
        let count = list.len() as u64;
        let start = usize::try_from(query.start()).unwrap_or(usize::MAX);
        let results = list.into_iter().skip(start).take(query.page_size as usize).collect();
        Self { query, count, results }
    }

    /// The next page, unless this is the last.
    pub fn next(&self) -> Option<PageQuery> {
        self.query.next(self.count)
    }

    /// The previous page, unless this is the first.
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
    fn a_page_consists_of_slices_of_100_entries() {
        let third = offsets(3, 1000, 5000);
        assert_eq!(third.len(), 10);
        assert_eq!((third[0], third[9]), ((2000, 100), (2900, 100)));
    }

    #[test]
    fn slices_end_where_the_list_ends() {
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
    fn the_first_page_has_no_previous_and_the_last_page_no_next() {
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
    fn a_complete_list_is_split_into_pages() {
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
