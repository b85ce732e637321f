//! Answers that are passed on: collected where they are short, else piped by a task.

use std::convert::Infallible;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiBody};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use model::{ClientContext, Effect};
use storage::Receipt;
use tracing::Instrument as _;

use crate::engine::beginning::{Beginning, read_beginning};
use crate::engine::provider_request::{Reservation, StartedRequest, catch_panic};
use crate::engine::pump::{Piped, Pump, StreamAborted};
use crate::engine::request_scope::RequestScope;
use crate::engine::{Call, RowSubject, outcome};
use crate::{DbtProvider, ProviderError};

/// An answer of dbt Cloud that is passed on unchanged.
pub struct StreamedAnswer {
    /// dbt's status.
    pub status: StatusCode,
    /// All of dbt's headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// A body that is passed on.
pub enum AnswerBody {
    /// The whole body; the row is committed.
    Whole(Bytes),
    /// A stream; the row is open until the last piece is read. An error means that the body is incomplete: the caller's
    /// connection must be aborted.
    Pieces(BoxStream<'static, Result<Bytes, StreamAborted>>),
}

impl DbtProvider {
    /// Runs `work` in a request scope, as [`Self::provider_request`] does, and passes its answer on. For a body up to
    /// `collect_max_bytes` the complete row is committed first. For a longer one the open row is committed before the
    /// first byte leaves; a task then owns body and row, and closes the row after the last byte, when dbt Cloud aborts,
    /// or when the caller disconnects.
    ///
    /// # Errors
    /// As [`Self::provider_request`]. A body that is aborted before its first byte left is an error too.
    pub(crate) async fn provider_stream<Work, Answer>(
        &self,
        ctx: ClientContext,
        subject: RowSubject,
        effect: Effect,
        collect_max_bytes: usize,
        work: Work,
    ) -> Result<StreamedAnswer, ProviderError>
    where
        Work: FnOnce(Call) -> Answer + Send + 'static,
        Answer: Future<Output = Result<ApiAnswer, ProviderError>> + Send + 'static,
    {
        let StartedRequest { scope, call, rest } = self.begin(&ctx, subject, effect, Reservation::OpenAndClose).await?;
        let provider = self.clone();
        let guarded = async move {
            let (shares, limit) = (call.shares(), call.beginning_limit(effect));
            // Boxed: the futures of several exchanges are large.
            let answer = match limit.of(None, catch_panic(Box::pin(work(call)))).await {
                Ok(answer) => answer,
                Err(error) => return failed(scope, error),
            };
            let (status, headers) = (answer.status, answer.headers.clone());
            let beginning = read_beginning(answer.into_body(), collect_max_bytes, |bytes| shares.keep_bytes(bytes));
            match limit.of(Some(status), beginning).await {
                Ok(beginning) => {
                    shares.hold_until_written(scope.held());
                    provider.pass_on(status, headers, beginning, scope, effect).await
                }
                Err(error) => failed(scope, error.into()),
            }
        };
        // Boxed: the future of a stream's beginning is large.
        self.finish(rest, Box::pin(guarded)).await
    }

    async fn pass_on(
        self,
        status: StatusCode,
        headers: HeaderMap,
        beginning: Beginning,
        scope: RequestScope,
        effect: Effect,
    ) -> (Result<StreamedAnswer, ProviderError>, Option<Receipt>) {
        let outcome = outcome::of_status(status);
        let exchanges = scope.exchanges();
        let (body, receipt) = match beginning {
            Beginning::Whole(body) => {
                exchanges.add_bytes(body.len() as u64);
                (AnswerBody::Whole(body), Some(scope.end_as(outcome, None)))
            }
            Beginning::Longer(beginning, rest) => {
                let content_length = content_length(&headers);
                let piped = Piped {
                    outcome,
                    effect,
                    content_length,
                };
                exchanges.add_bytes(beginning.iter().map(|piece| piece.len() as u64).sum());
                let rest = rest.inspect_ok(move |piece| exchanges.add_bytes(piece.len() as u64));
                match self.pipe(scope, piped, beginning, rest.boxed()).await {
                    Ok(pieces) => (AnswerBody::Pieces(pieces), None),
                    Err((error, receipt)) => return (Err(error), receipt),
                }
            }
        };
        (Ok(StreamedAnswer { status, headers, body }), receipt)
    }

    /// Opens the row, if it is not open, and starts the task that pipes the body and closes the row. From here on the request
    /// counts as a stream.
    pub(crate) async fn pipe(
        &self,
        mut scope: RequestScope,
        piped: Piped,
        beginning: Vec<Bytes>,
        rest: ApiBody,
    ) -> Result<BoxStream<'static, Result<Bytes, StreamAborted>>, (ProviderError, Option<Receipt>)> {
        let fail = |scope, error| {
            let (failed, receipt) = failed::<Infallible>(scope, error);
            (failed.unwrap_err(), receipt)
        };
        let place = match self.shares.streams.try_take(scope.owner(), 1) {
            Ok(place) => place,
            // dbt Cloud has made the change: its answer is not refused.
            Err(_) if piped.effect == Effect::Change => self.shares.streams.take_beyond(scope.owner(), 1),
            Err(exhausted) => return Err(fail(scope, exhausted.into())),
        };
        if !scope.is_open()
            && let Err(error) = self.open(&mut scope, self.settings.log_wait).await
        {
            return Err(fail(scope, error));
        }
        scope.becomes_stream(place);
        let (pump, pieces) = Pump::new(scope, piped, self.settings.stream, self.streams_shutdown.clone());
        let counted = self.metrics.stream();
        let run = async move {
            let _counted = counted;
            pump.run(beginning, rest).await;
        };
        self.tasks.spawn(run.in_current_span());
        Ok(pieces)
    }
}

pub(crate) fn failed<T>(scope: RequestScope, error: ProviderError) -> (Result<T, ProviderError>, Option<Receipt>) {
    let receipt = scope.end::<()>(Err(&error));
    (Err(error), Some(receipt))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
