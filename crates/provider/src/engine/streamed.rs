//! Answers that are passed on: collected where they are short, else piped by a task.

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiBody, ApiError, joined};
use futures::stream::{BoxStream, TryStreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use model::{ClientContext, Effect};
use storage::Receipt;
use tracing::Instrument as _;

use crate::engine::provider_request::{Reservation, StartedRequest, catch_panic};
use crate::engine::pump::{Pump, StreamAborted};
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
        let StartedRequest { scope, call, span } = self.begin(&ctx, subject, effect, Reservation::OpenAndClose).await?;
        let provider = self.clone();
        let guarded = async move {
            // Boxed: the futures of several exchanges are large.
            match catch_panic(Box::pin(work(call))).await {
                Ok(answer) => provider.pass_on(answer, scope, effect, collect_max_bytes).await,
                Err(error) => failed(scope, error),
            }
        };
        self.finish(effect, span, guarded).await
    }

    async fn pass_on(
        self,
        answer: ApiAnswer,
        mut scope: RequestScope,
        effect: Effect,
        collect_max_bytes: usize,
    ) -> (Result<StreamedAnswer, ProviderError>, Option<Receipt>) {
        let (status, headers) = (answer.status, answer.headers.clone());
        let outcome = outcome::of_status(status);
        let exchanges = scope.exchanges();
        let (body, receipt) = match read_beginning(answer.into_body(), collect_max_bytes).await {
            Err(error) => return failed(scope, error.into()),
            Ok(Beginning::Whole(body)) => {
                exchanges.add_bytes(body.len() as u64);
                (AnswerBody::Whole(body), Some(scope.end_as(outcome, None)))
            }
            Ok(Beginning::Longer(beginning, rest)) => {
                if !scope.is_open()
                    && let Err(error) = self.open(&mut scope).await
                {
                    return failed(scope, error);
                }
                let (pump, pieces) = Pump::new(
                    scope,
                    outcome,
                    effect,
                    content_length(&headers),
                    self.settings.stream,
                    self.streams_shutdown.clone(),
                );
                let counted = self.metrics.stream();
                let run = async move {
                    let _counted = counted;
                    pump.run(beginning, rest).await;
                };
                self.tasks.spawn(run.in_current_span());
                (AnswerBody::Pieces(pieces), None)
            }
        };
        (Ok(StreamedAnswer { status, headers, body }), receipt)
    }
}

fn failed<T>(scope: RequestScope, error: ProviderError) -> (Result<T, ProviderError>, Option<Receipt>) {
    let receipt = scope.end::<()>(Err(&error));
    (Err(error), Some(receipt))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The beginning of a body.
pub(crate) enum Beginning {
    /// The whole body.
    Whole(Bytes),
    /// More than the limit, and the rest.
    Longer(Vec<Bytes>, ApiBody),
}

/// Reads a body until it ends or exceeds `max_bytes`.
pub(crate) async fn read_beginning(mut body: ApiBody, max_bytes: usize) -> Result<Beginning, ApiError> {
    let mut pieces = Vec::new();
    let mut bytes = 0;
    while let Some(piece) = body.try_next().await? {
        bytes += piece.len();
        pieces.push(piece);
        if bytes > max_bytes {
            return Ok(Beginning::Longer(pieces, body));
        }
    }
    Ok(Beginning::Whole(joined(pieces)))
}
