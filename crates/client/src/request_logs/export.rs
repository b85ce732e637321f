//! The export of the request log, streamed page by page.
//!
//! A task reads each page with its own statement, so that a slow reader holds no database connection. It reads the next
//! page once its reader has taken the last one, and aborts the export if that takes too long.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use model::CompanyId;
use shares::Share;
use storage::{LogFilter, LogPage, LogRecord, LogVisibility, PageLimit, RequestLogs};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::ClientError;

const PAGE: PageLimit = PageLimit {
    rows: 500,
    bytes: 1 << 20,
};

pub(crate) struct Export {
    pub(crate) logs: RequestLogs,
    pub(crate) company: CompanyId,
    pub(crate) visibility: LogVisibility,
    pub(crate) filter: LogFilter,
    /// The time limit for the reader to take a page.
    pub(crate) stall: Duration,
}

/// What the task sends. Without an `End` the export is incomplete.
enum ExportItem {
    Rows(Vec<LogRecord>),
    Failed(ClientError),
    End,
}

impl Export {
    /// The rows, newest first; holds the permit until the last page is taken. An error in reading the first page is
    /// returned here.
    pub(crate) async fn start(
        self,
        permit: Share,
    ) -> Result<impl Stream<Item = Result<LogRecord, ClientError>> + Send + use<>, ClientError> {
        let first = self.page(None).await?;
        let (send, items) = mpsc::channel(1);
        let pump = async move {
            self.pump(first, send).await;
            drop(permit);
        };
        tokio::spawn(pump.in_current_span());
        let rows = stream::unfold(Some(items), |items| async {
            let mut items = items?;
            let (rows, items) = match items.recv().await {
                Some(ExportItem::Rows(rows)) => (rows.into_iter().map(Ok).collect(), Some(items)),
                Some(ExportItem::Failed(error)) => (vec![Err(error)], None),
                Some(ExportItem::End) => return None,
                None => (vec![Err(ClientError::ExportCutOff)], None),
            };
            Some((stream::iter(rows), items))
        });
        Ok(rows.flatten())
    }

    async fn page(&self, last: Option<&LogPage>) -> Result<LogPage, ClientError> {
        let after = last.and_then(|page| page.next);
        let page = self
            .logs
            .page(self.company, &self.visibility, &self.filter, after, PAGE);
        Ok(page.await?)
    }

    async fn pump(self, first: LogPage, send: mpsc::Sender<ExportItem>) {
        let mut page = first;
        loop {
            let next = page.next;
            let rows = ExportItem::Rows(std::mem::take(&mut page.records));
            match send.send_timeout(rows, self.stall).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => return,
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    tracing::warn!("aborted an export of the request log: its reader is too slow");
                    return;
                }
            }
            let last_item = if next.is_none() {
                ExportItem::End
            } else {
                match self.page(Some(&page)).await {
                    Ok(more) => {
                        page = more;
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "an export of the request log failed"
                        );
                        ExportItem::Failed(error)
                    }
                }
            };
            // Fails only where the reader has disconnected or is too slow.
            let _ = send.send_timeout(last_item, self.stall).await;
            return;
        }
    }
}
