//! Slices of a list at dbt Cloud: one exchange each, several concurrently.

use std::sync::Arc;

use dbt_api::{ApiError, ApiResponse, WrappedApi};
use futures::stream::{self, BoxStream, StreamExt as _};
use model::{HasId, Listed, Slice, Upstream};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::GatherSettings;
use crate::engine::Call;
use crate::exchanges::Why;

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
pub(crate) struct Slices<Filter, List> {
    pub(crate) call: Call,
    pub(crate) filter: Filter,
    pub(crate) list: List,
    pub(crate) settings: GatherSettings,
}

/// One slice of dbt's, with the length of its answer.
pub(crate) struct Part<T> {
    pub(crate) items: Vec<T>,
    /// The length of the list; `None` if dbt Cloud does not send it, or sends one that the answer contradicts.
    pub(crate) total_count: Option<u64>,
    pub(crate) bytes: u64,
}

/// Slices with what came, in order.
pub(crate) type Ahead<T> = BoxStream<'static, Result<(Slice, Part<T>), ApiError>>;

impl<Filter, List> Slices<Filter, List> {
    /// The slices, in order, as many concurrently as the settings and the length of a first slice allow. Their memory is
    /// reserved in one step, together with that of `held_bytes` that the caller keeps, so that two lists never wait for each
    /// other.
    pub(crate) async fn ahead<T>(
        self: &Arc<Self>,
        slices: impl Iterator<Item = Slice> + Send + 'static,
        first_bytes: u64,
        held_bytes: u64,
    ) -> Result<Ahead<T>, ApiError>
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
        let list = Arc::clone(self);
        Ok(stream::iter(slices)
            .map(move |slice| {
                // Tasks, since a reader that waits for something else does not poll them: they would keep what it waits for, a
                // turn to decode a large body.
                let part = Arc::clone(&list).fetch(slice, Why::NextPage);
                let part = AbortOnDropHandle::new(tokio::spawn(part.in_current_span()));
                async move {
                    match part.await {
                        Ok(part) => Ok((slice, part?)),
                        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
                    }
                }
            })
            .buffered(usize::try_from(window).unwrap_or(1))
            .boxed())
    }

    /// One slice, at most as long as requested.
    pub(crate) async fn fetch<T>(self: Arc<Self>, slice: Slice, why: Why) -> Result<Part<T>, ApiError>
    where
        T: Send + 'static,
        Filter: Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let Self { call, filter, list, .. } = &*self;
        let operation = call.operation();
        call.exchange(operation, why, |api, to| {
            let answer = list(api, to, filter, slice);
            async move { answer.await.map(|answer| part_of(answer, slice)) }
        })
        .await
    }
}

fn part_of<T>(answer: ApiResponse<Listed<T>>, slice: Slice) -> ApiResponse<Part<T>> {
    let bytes = answer.bytes;
    answer.map(|Listed { mut items, total_count }| {
        // A server that ignores the limit; the rest is asked for again.
        items.truncate(slice.limit as usize);
        let read_to = slice.offset + items.len() as u64;
        let total_count = total_count.filter(|total| items.is_empty() || *total >= read_to);
        Part {
            items,
            total_count,
            bytes,
        }
    })
}
