//! An export of the request log: any number of rows, of which only a few are in memory at once.
//!
//! A task reads page after page, each by a statement of its own, so a slow reader holds no connection of the database;
//! it reads the next one when its reader has taken the last. A reader that takes none for too long is cut off.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use model::CompanyId;
use storage::{LogFilter, LogPage, LogRecord, LogVisibility, PageLimit, RequestLogs};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::Instrument as _;

use crate::ClientError;

/// What is read at once.
const PAGE: PageLimit = PageLimit {
    rows: 500,
    bytes: 1 << 20,
};

/// What is exported, and for whom.
pub(crate) struct Export {
    pub(crate) logs: RequestLogs,
    pub(crate) company: CompanyId,
    pub(crate) sight: LogVisibility,
    pub(crate) filter: LogFilter,
    /// How long the reader may take for a page.
    pub(crate) stall: Duration,
}

/// What the task hands over. Without an `End` the rows are not all there are.
enum Step {
    Rows(Vec<LogRecord>),
    Failed(ClientError),
    End,
}

impl Export {
    /// The rows, the newest first; keeps its place among the exports under way until the last is handed over. What fails
    /// before the first fails here.
    pub(crate) async fn start(
        self,
        place: OwnedSemaphorePermit,
    ) -> Result<impl Stream<Item = Result<LogRecord, ClientError>> + Send + use<>, ClientError> {
        let first = self.page(None).await?;
        let (send, steps) = mpsc::channel(1);
        let pump = async move {
            self.pump(first, send).await;
            drop(place);
        };
        tokio::spawn(pump.in_current_span());
        let rows = stream::unfold(Some(steps), |steps| async {
            let mut steps = steps?;
            let (rows, steps) = match steps.recv().await {
                Some(Step::Rows(rows)) => (rows.into_iter().map(Ok).collect(), Some(steps)),
                Some(Step::Failed(error)) => (vec![Err(error)], None),
                Some(Step::End) => return None,
                None => (vec![Err(ClientError::ExportCutOff)], None),
            };
            Some((stream::iter(rows), steps))
        });
        Ok(rows.flatten())
    }

    async fn page(&self, last: Option<&LogPage>) -> Result<LogPage, ClientError> {
        let after = last.and_then(|page| page.next);
        let page = self.logs.page(self.company, &self.sight, &self.filter, after, PAGE);
        Ok(page.await?)
    }

    async fn pump(self, first: LogPage, send: mpsc::Sender<Step>) {
        let mut page = first;
        loop {
            let next = page.next;
            let rows = Step::Rows(std::mem::take(&mut page.records));
            match send.send_timeout(rows, self.stall).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => return,
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    tracing::warn!("an export of the request log was cut off: its reader takes no rows");
                    return;
                }
            }
            let last_step = if next.is_none() {
                Step::End
            } else {
                match self.page(Some(&page)).await {
                    Ok(more) => {
                        page = more;
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "an export of the request log broke off"
                        );
                        Step::Failed(error)
                    }
                }
            };
            // A reader that has gone, or takes nothing, needs no end.
            let _ = send.send_timeout(last_step, self.stall).await;
            return;
        }
    }
}
