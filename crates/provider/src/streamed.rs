//! Answers that are handed on as they come: collected where they are short, else piped by a task of their own.

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiBody, ApiError, joined};
use futures::stream::{BoxStream, TryStreamExt as _};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use model::{ClientContext, Effect};
use storage::Receipt;
use tracing::Instrument as _;

use crate::bracket::RequestScope;
use crate::call::Call;
use crate::pump::{StreamAborted, Pump};
use crate::request::{Asked, StartedRequest, Reservation, caught};
use crate::{DbtProvider, ProviderError, outcome};

/// An answer of dbt Cloud that is handed on as it came.
pub struct StreamedAnswer {
    /// dbt's status.
    pub status: StatusCode,
    /// dbt's headers, all of them.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// A body that is handed on.
pub enum AnswerBody {
    /// All of it; its row is committed.
    Whole(Bytes),
    /// What comes piece by piece; its row is open until the last one is taken. An error means that the body is not
    /// whole: the caller's connection must break.
    Pieces(BoxStream<'static, Result<Bytes, StreamAborted>>),
}

impl DbtProvider {
    /// Runs `work` inside its row, as [`Self::provider_request`] does, and hands its answer on. One that ends within
    /// `collect_max_bytes` has its whole row committed first. Of a longer one the open row is committed before its
    /// first byte leaves; a task then owns body and row, and closes the row after the last byte, when dbt Cloud breaks
    /// off, or when the caller goes.
    ///
    /// # Errors
    /// As [`Self::provider_request`]. A body that breaks off before anything of it left is an error as well.
    pub(crate) async fn provider_stream<Work, Answer>(
        &self,
        ctx: ClientContext,
        asked: Asked,
        effect: Effect,
        collect_max_bytes: usize,
        work: Work,
    ) -> Result<StreamedAnswer, ProviderError>
    where
        Work: FnOnce(Call) -> Answer + Send + 'static,
        Answer: Future<Output = Result<ApiAnswer, ProviderError>> + Send + 'static,
    {
        let StartedRequest { bracket, call, span } = self.begin(&ctx, asked, effect, Reservation::OpenAndClose).await?;
        let provider = self.clone();
        let guarded = async move {
            // Boxed, since the futures of several exchanges are large.
            match caught(Box::pin(work(call))).await {
                Ok(answer) => provider.hand_on(answer, bracket, effect, collect_max_bytes).await,
                Err(error) => failed(bracket, error),
            }
        };
        self.settled(effect, span, guarded).await
    }

    async fn hand_on(
        self,
        answer: ApiAnswer,
        mut bracket: RequestScope,
        effect: Effect,
        collect_max_bytes: usize,
    ) -> (Result<StreamedAnswer, ProviderError>, Option<Receipt>) {
        let (status, headers) = (answer.status, answer.headers.clone());
        let ended = outcome::of_status(status);
        let exchanges = bracket.exchanges();
        let (body, receipt) = match beginning(answer.into_body(), collect_max_bytes).await {
            Err(error) => return failed(bracket, error.into()),
            Ok(Beginning::Whole(body)) => {
                exchanges.came(body.len() as u64);
                (AnswerBody::Whole(body), Some(bracket.end_as(ended, None)))
            }
            Ok(Beginning::Longer(begun, rest)) => {
                if !bracket.is_open()
                    && let Err(error) = self.opened(&mut bracket).await
                {
                    return failed(bracket, error);
                }
                let (pump, pieces) = Pump::new(
                    bracket,
                    ended,
                    effect,
                    declared(&headers),
                    self.settings.stream,
                    self.cut.clone(),
                );
                let streaming = self.metrics.stream();
                let run = async move {
                    let _until_it_ends = streaming;
                    pump.run(begun, rest).await;
                };
                self.tasks.spawn(run.in_current_span());
                (AnswerBody::Pieces(pieces), None)
            }
        };
        (Ok(StreamedAnswer { status, headers, body }), receipt)
    }
}

fn failed<T>(bracket: RequestScope, error: ProviderError) -> (Result<T, ProviderError>, Option<Receipt>) {
    let receipt = bracket.end::<()>(Err(&error));
    (Err(error), Some(receipt))
}

/// How long the body is, as its headers say.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What a body begins with.
pub(crate) enum Beginning {
    /// All of it.
    Whole(Bytes),
    /// More than so many bytes, and the rest.
    Longer(Vec<Bytes>, ApiBody),
}

/// Reads a body until it ends or is longer than so many bytes.
pub(crate) async fn beginning(mut body: ApiBody, max_bytes: usize) -> Result<Beginning, ApiError> {
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
