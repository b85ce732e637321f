//! Requests that last: a wait for a run, a stream of its events.

use model::{ClientContext, Effect};
use shares::Share;
use storage::Outcome;

use crate::engine::provider_request::{Reservation, StartedRequest, catch_panic};
use crate::engine::request_scope::RequestScope;
use crate::engine::streamed::failed;
use crate::engine::{Call, RowSubject};
use crate::{DbtProvider, ProviderError};

/// A request whose open row is committed, and which waits for what happens elsewhere. It holds neither a place among the
/// requests nor room in the log's queue. Its row is closed when it is dropped: also if the caller has left, it succeeded.
#[must_use]
pub struct LastingRequest(Option<RequestScope>);

impl Drop for LastingRequest {
    fn drop(&mut self) {
        if let Some(scope) = self.0.take() {
            // Queued; the commit is not awaited.
            drop(scope.end_as(Outcome::Succeeded, None));
        }
    }
}

impl DbtProvider {
    /// Runs `work` in a request scope, then leaves the row open for as long as the request lasts. `place` is its place among
    /// those that last.
    ///
    /// # Errors
    /// As [`Self::provider_request`].
    pub(crate) async fn lasting_request<T, Work, Answer>(
        &self,
        ctx: ClientContext,
        subject: RowSubject,
        place: Share,
        work: Work,
    ) -> Result<(T, LastingRequest), ProviderError>
    where
        T: Send + 'static,
        Work: FnOnce(Call) -> Answer + Send + 'static,
        Answer: Future<Output = Result<T, ProviderError>> + Send + 'static,
    {
        let effect = Effect::Read;
        let StartedRequest { mut scope, call, rest } =
            self.begin(&ctx, subject, effect, Reservation::OpenAndClose).await?;
        let provider = self.clone();
        let guarded = async move {
            let limit = call.time_limit();
            let value = match limit.bounds(effect, catch_panic(Box::pin(work(call)))).await {
                Ok(value) => value,
                Err(error) => return failed(scope, error),
            };
            if !scope.is_open()
                && let Err(error) = provider.open(&mut scope, provider.settings.log_wait).await
            {
                return failed(scope, error);
            }
            scope.becomes_stream(place);
            (Ok((value, LastingRequest(Some(scope)))), None)
        };
        self.finish(rest, Box::pin(guarded)).await
    }
}
