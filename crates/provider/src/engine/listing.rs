//! Lists: a page that is held whole, or one that leaves as it is read.

use std::sync::Arc;

use bytes::Bytes;
use dbt_api::{ApiError, LARGE_BODY_BYTES, work_on_body};
use futures::stream::{BoxStream, StreamExt as _};
use http::StatusCode;
use model::{ClientContext, Effect, HasId, ListFilter, Page, PageQuery};
use serde::Serialize;
use storage::{Outcome, Receipt};

use crate::engine::RowSubject;
use crate::engine::gather::{Gathered, LongPage};
use crate::engine::provider_request::{Reservation, StartedRequest, catch_panic};
use crate::engine::pump::{Piped, StreamAborted};
use crate::engine::request_scope::RequestScope;
use crate::engine::slices::{ListSlice, Part, Slices};
use crate::engine::streamed::failed;
use crate::{DbtProvider, ProviderError};

/// One page of a list.
pub enum Listing<T> {
    /// The whole page; the row is committed.
    Whole(Page<T>),
    /// A long page that is still being read; the row is open.
    Streamed(StreamedPage<T>),
}

impl<T> From<Page<T>> for Listing<T> {
    fn from(page: Page<T>) -> Self {
        Self::Whole(page)
    }
}

/// A page that leaves as it is read.
pub struct StreamedPage<T> {
    /// The page without entries.
    pub head: Page<T>,
    /// The entries as JSON with commas between them. An error means that the page is incomplete: the caller's connection
    /// must be aborted.
    pub entries: BoxStream<'static, Result<Bytes, StreamAborted>>,
}

impl DbtProvider {
    /// One page of a list in a request scope, as [`Self::provider_request`] runs it. A page longer than
    /// `gather.hold_max_bytes` is streamed, as an answer of [`Self::provider_stream`].
    ///
    /// # Errors
    /// [`ProviderError`]: until the page begins, a missing part of it is an error.
    pub(crate) async fn provider_list<T, Filter, List>(
        &self,
        ctx: ClientContext,
        subject: RowSubject,
        page: PageQuery,
        filter: Filter,
        list: List,
    ) -> Result<Listing<T>, ProviderError>
    where
        T: HasId + Serialize + Send + 'static,
        Filter: ListFilter<T> + Send + Sync + 'static,
        List: for<'a> ListSlice<'a, T, Filter> + 'static,
    {
        let begun = self.begin(&ctx, subject, Effect::Read, Reservation::AsNeeded).await?;
        let StartedRequest { scope, call, rest } = begun;
        let provider = self.clone();
        let settings = self.settings.gather;
        let (shares, limit) = (call.shares(), call.time_limit());
        let guarded = async move {
            let slices = Arc::new(Slices {
                call,
                filter,
                list,
                settings,
            });
            let page = catch_panic(Box::pin(Arc::clone(&slices).page(page)));
            match limit.bounds(Effect::Read, page).await {
                Ok(Gathered::Whole(page)) => {
                    shares.hold_until_written(scope.held());
                    let receipt = scope.end(Ok(&()));
                    (Ok(Listing::Whole(page)), Some(receipt))
                }
                Ok(Gathered::Long(LongPage {
                    beginning,
                    beginning_bytes,
                    rest,
                })) => {
                    // The beginning has left before the rest is read.
                    let mut sent_bytes = beginning_bytes;
                    let body = rest.then(move |part| {
                        let (slices, sent) = (Arc::clone(&slices), std::mem::take(&mut sent_bytes));
                        async move {
                            let Part { items, bytes, .. } = part?;
                            // Nothing new, where the list has changed.
                            let before = if items.is_empty() { "" } else { "," };
                            let entries = encoded(items, bytes, before).await;
                            slices.call.free_bytes(sent + bytes);
                            entries
                        }
                    });
                    provider.stream_list(scope, beginning, body.boxed()).await
                }
                Err(error) => failed(scope, error),
            }
        };
        // Boxed: the future of a stream's beginning is large.
        self.finish(rest, Box::pin(guarded)).await
    }

    async fn stream_list<T: Serialize + Send + 'static>(
        self,
        scope: RequestScope,
        mut page: Page<T>,
        rest: BoxStream<'static, Result<Bytes, ApiError>>,
    ) -> (Result<Listing<T>, ProviderError>, Option<Receipt>) {
        let results = std::mem::take(&mut page.results);
        let beginning = match encoded(results, LARGE_BODY_BYTES as u64, "").await {
            Ok(beginning) => vec![beginning],
            Err(error) => return failed(scope, error.into()),
        };
        let piped = Piped {
            outcome: Outcome::Succeeded,
            effect: Effect::Read,
            content_length: None,
        };
        match self.pipe(scope, piped, beginning, rest).await {
            Ok(entries) => (Ok(Listing::Streamed(StreamedPage { head: page, entries })), None),
            Err((error, receipt)) => (Err(error), receipt),
        }
    }
}

/// The entries as JSON with commas between them, and `before` in front of the first.
async fn encoded<T>(entries: Vec<T>, bytes: u64, before: &'static str) -> Result<Bytes, ApiError>
where
    T: Serialize + Send + 'static,
{
    let encode = move || {
        let mut json = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
        let mut separator = before;
        for entry in &entries {
            json.extend_from_slice(separator.as_bytes());
            serde_json::to_writer(&mut json, entry)?;
            separator = ",";
        }
        Ok::<_, serde_json::Error>(json.into())
    };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let json = work_on_body(bytes, encode).await;
    json.map_err(|error| ApiError::Decode {
        status: StatusCode::OK,
        source: error.into(),
    })
}
