//! Holds what comes of a list against what dbt Cloud promised, so that a list is whole or an error.
//!
//! - A slice that is shorter than requested is continued where it ended, up to the length of the list; without a length up
//!   to an empty slice.
//! - If entries were deleted while the list was read, the later ones moved forward, past the reader: the entries before a
//!   slice are read again, as many as the list lost.
//! - If entries were added, the later ones moved backward and come twice, and the list is longer.
//! - A slice that repeats earlier entries without such a reason is read once more. If it still does, and for every entry
//!   that is missing at the end, the list is an error.
//!
//! An entry that is added while another is deleted leaves the length as it was; dbt Cloud offers no way to detect it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use dbt_api::{ApiError, Gap};
use futures::TryStreamExt as _;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use model::{DBT_PAGE_LIMIT, HasId, Slice};

use crate::engine::slices::{Ahead, ListSlice, Part, Slices};
use crate::exchanges::Why;

/// How often the entries before a slice are read again while the list gets shorter each time.
const MAX_ROUNDS: u32 = 8;

/// A reader of a part of a list.
pub(crate) struct WholeList<T: HasId, Filter, List> {
    slices: Arc<Slices<Filter, List>>,
    /// The offsets that are read.
    range: Range<u64>,
    /// What was read and is not checked yet.
    first: Option<(Slice, Part<T>)>,
    ahead: Ahead<T>,
    /// After the last entry that was read.
    offset: u64,
    seen: HashSet<T::Id>,
    /// The length of the list when the last slice was read; `None` if dbt Cloud does not send it.
    total: Option<u64>,
    /// The least length of the list, by slices that confirm each other.
    promised: Option<u64>,
    /// How many entries were added while the list was read.
    grown: u64,
    /// An empty slice has shown the end of a list of unknown length.
    is_over: bool,
    /// The last slice, of a list of unknown length, had only earlier entries.
    has_repeated: bool,
}

impl<T, Filter, List> WholeList<T, Filter, List>
where
    T: HasId + Send + 'static,
    Filter: Send + Sync + 'static,
    List: for<'a> ListSlice<'a, T, Filter> + 'static,
{
    /// A reader of the entries in `range`, from the slice that was read first.
    pub(crate) fn new(slices: Arc<Slices<Filter, List>>, range: Range<u64>, slice: Slice, first: Part<T>) -> Self {
        let total = first.total_count;
        Self {
            slices,
            offset: range.start,
            range,
            first: Some((slice, first)),
            ahead: stream::empty().boxed(),
            seen: HashSet::new(),
            total,
            promised: total,
            grown: 0,
            is_over: false,
            has_repeated: false,
        }
    }

    /// Reads these slices, the first ones after the one that was read, ahead.
    pub(crate) fn read_ahead(&mut self, ahead: Ahead<T>) {
        self.ahead = ahead;
    }

    /// The length of the list when the last slice was read; `None` if dbt Cloud does not send it.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// After the last entry that was read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether an empty slice has shown the end of a list of unknown length.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the list may have more entries in the range.
    pub(crate) fn continues(&self) -> bool {
        !self.is_over && self.offset < self.end()
    }

    /// The entries of the next slice, each once; `None` after the last one.
    ///
    /// # Errors
    /// Those of the exchanges; [`ApiError::Incomplete`].
    pub(crate) async fn next(&mut self) -> Result<Option<Part<T>>, ApiError> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.ahead.try_next().await?,
        };
        let (slice, part) = match next {
            Some(next) => next,
            // Of a list of unknown length, or one that has grown.
            None if self.continues() => {
                let left = self.end() - self.offset;
                let slice = Slice {
                    offset: self.offset,
                    limit: u32::try_from(left).map_or(DBT_PAGE_LIMIT, |left| left.min(DBT_PAGE_LIMIT)),
                };
                (slice, self.fetch(slice, Why::NextPage).await?)
            }
            None => {
                self.check_end()?;
                return Ok(None);
            }
        };
        let mut checked = Part {
            items: Vec::new(),
            total_count: None,
            bytes: 0,
        };
        self.add(slice, part, &mut checked).await?;
        let end = slice.offset + u64::from(slice.limit);
        while self.offset < end && self.continues() {
            let rest = Slice {
                offset: self.offset,
                limit: u32::try_from(end - self.offset).unwrap_or(DBT_PAGE_LIMIT),
            };
            let part = self.fetch(rest, Why::NextPage).await?;
            self.add(rest, part, &mut checked).await?;
        }
        Ok(Some(checked))
    }

    /// The end of the range or of the list, whichever comes first.
    fn end(&self) -> u64 {
        self.range.end.min(self.total.unwrap_or(u64::MAX))
    }

    /// Does not borrow the reader, which is not `Sync`.
    fn fetch(
        &self,
        slice: Slice,
        why: Why,
    ) -> impl Future<Output = Result<Part<T>, ApiError>> + Send + use<T, Filter, List> {
        Arc::clone(&self.slices).fetch(slice, why)
    }

    /// Adds the new entries of a slice.
    async fn add(&mut self, slice: Slice, mut part: Part<T>, to: &mut Part<T>) -> Result<(), ApiError> {
        let Some(before) = self.total else {
            return self.add_unknown(slice, part, to);
        };
        let mut confirmed = 0;
        if let Some(claimed) = part.total_count.filter(|now| *now < before) {
            let now = self.read_again(slice.offset, before, claimed, to).await?;
            if claimed < now {
                // The list is not as short as the slice says.
                confirmed = now;
                to.bytes += part.bytes;
                part = self.fetch(slice, Why::Retry).await?;
            }
        }
        let now = part.total_count.unwrap_or(before).max(confirmed);
        if part.items.is_empty() && now > slice.offset {
            return Err(incomplete(Gap::Empty {
                offset: slice.offset,
                total: now,
            }));
        }
        let grown = now.saturating_sub(before);
        let (read, repeated) = self.take(part, to);
        if repeated > grown {
            let again = self.fetch(slice, Why::Retry).await?;
            let (read_again, still_repeated) = self.take(again, to);
            // What came the first time is known by now.
            if repeated == read && still_repeated == read_again {
                return Err(incomplete(Gap::Repeats { offset: slice.offset }));
            }
        }
        self.grown += grown;
        self.total = Some(now);
        self.offset = slice.offset + read;
        Ok(())
    }

    /// As [`Self::add`], of a list of unknown length. Entries may come twice because others were added, but not slice by
    /// slice.
    fn add_unknown(&mut self, slice: Slice, part: Part<T>, to: &mut Part<T>) -> Result<(), ApiError> {
        let (read, repeated) = self.take(part, to);
        self.is_over = read == 0;
        let repeats = read > 0 && repeated == read;
        if repeats && self.has_repeated {
            return Err(incomplete(Gap::Repeats { offset: slice.offset }));
        }
        self.has_repeated = repeats;
        self.offset = slice.offset + read;
        Ok(())
    }

    /// Reads the entries before `offset` again, as many as the list is shorter than `before`. Returns its length.
    async fn read_again(&mut self, offset: u64, before: u64, claimed: u64, to: &mut Part<T>) -> Result<u64, ApiError> {
        let (mut shortest, mut newest) = (claimed, claimed);
        for _ in 0..MAX_ROUNDS {
            let known = shortest;
            let mut from = offset.saturating_sub(before - known).max(self.range.start);
            while from < offset {
                let left = u32::try_from(offset - from).unwrap_or(DBT_PAGE_LIMIT);
                let slice = Slice {
                    offset: from,
                    limit: left.min(DBT_PAGE_LIMIT),
                };
                let part = self.fetch(slice, Why::NextPage).await?;
                newest = part.total_count.unwrap_or(newest);
                shortest = shortest.min(newest);
                let (read, _) = self.take(part, to);
                if read == 0 {
                    break;
                }
                from += read;
            }
            if shortest == known {
                self.promised = self.promised.map(|promised| promised.min(newest));
                return Ok(newest);
            }
        }
        Err(incomplete(Gap::Moving))
    }

    /// Adds the new entries. Returns how many came, and how many of them had come before.
    fn take(&mut self, part: Part<T>, to: &mut Part<T>) -> (u64, u64) {
        let (read, known) = (part.items.len(), to.items.len());
        let seen = &mut self.seen;
        to.items
            .extend(part.items.into_iter().filter(|entry| seen.insert(entry.id())));
        to.bytes += part.bytes;
        let new = to.items.len() - known;
        (read as u64, (read - new) as u64)
    }

    /// Every entry that was promised has come, unless it has moved to the next page.
    fn check_end(&self) -> Result<(), ApiError> {
        let (Some(promised), Some(total)) = (self.promised, self.total) else {
            if self.has_repeated && !self.is_over {
                return Err(incomplete(Gap::Repeats { offset: self.offset }));
            }
            return Ok(());
        };
        let promised = promised.min(self.range.end).saturating_sub(self.range.start);
        let displaced = if self.range.end < total { self.grown } else { 0 };
        let came = self.seen.len() as u64;
        if came + displaced < promised {
            return Err(incomplete(Gap::Missing { came, promised }));
        }
        Ok(())
    }
}

fn incomplete(gap: Gap) -> ApiError {
    ApiError::Incomplete {
        status: StatusCode::OK,
        gap,
    }
}
