//! Runs single statements: acquires a connection, runs the statement until its deadline.

use std::future::ready;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::BoundedPool;
use super::lease::Lease;

/// The method of a connection, bounded.
macro_rules! bounded {
    ($pool:expr, $method:ident($($argument:expr),+)) => {{
        let pool = $pool.clone();
        Box::pin(async move {
            let mut lease = pool.lease().await?;
            let run = async {
                pool.begin_guarded(&mut lease).await?;
                let value = lease.$method($($argument),+).await?;
                pool.commit_guarded(&mut lease).await?;
                Ok(value)
            };
            match timeout(pool.limit, run).await {
                Ok(result) => pool.checked(lease, result),
                Err(_) => Err(pool.timed_out(lease)),
            }
        })
    }};
}

impl<'p> Executor<'p> for &'_ BoundedPool {
    type Database = Postgres;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<PgQueryResult, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        bounded!(self, execute(query))
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let (send, mut rows) = mpsc::channel(1);
        let run = async move {
            if let Err(error) = pool.send_rows(query, &send).await {
                // Fails if the rows are not wanted any more.
                let _ = send.send(Err(error)).await;
            }
        };
        let rows = stream::poll_fn(move |context| rows.poll_recv(context));
        let running = stream::once(run).filter_map(|()| ready(None));
        stream::select(rows, running).boxed()
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        bounded!(self, fetch_all(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        bounded!(self, fetch_optional(query))
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        bounded!(self, prepare_with(sql, parameters))
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        bounded!(self, describe(sql))
    }
}

impl BoundedPool {
    /// Begins a transaction with the settings of the session, if the connection has none of its own.
    async fn begin_guarded(&self, lease: &mut Lease) -> Result<(), Error> {
        if self.is_guarded {
            lease.begin(&self.begin).await?;
        }
        Ok(())
    }

    async fn commit_guarded(&self, lease: &mut Lease) -> Result<(), Error> {
        if self.is_guarded {
            lease.commit().await?;
        }
        Ok(())
    }

    /// Sends the rows as they are read. The deadline is for all of them, including the time that their reader takes.
    async fn send_rows<'q, E>(
        &self,
        query: E,
        send: &mpsc::Sender<Result<Either<PgQueryResult, PgRow>, Error>>,
    ) -> Result<(), Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let mut lease = self.lease().await?;
        let deadline = Instant::now() + self.limit;
        match timeout_at(deadline, self.begin_guarded(&mut lease)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return self.checked(lease, Err(error)),
            Err(_) => return Err(self.timed_out(lease)),
        }
        let mut rows = lease.fetch_many(query);
        let ended = loop {
            match timeout_at(deadline, rows.try_next()).await {
                Ok(Ok(Some(row))) => {
                    if send.send(Ok(row)).await.is_err() {
                        // Rolled back with the return of the connection.
                        return Ok(());
                    }
                }
                Ok(Ok(None)) => break Ok(()),
                Ok(Err(error)) => break Err(Some(error)),
                Err(_) => break Err(None),
            }
        };
        drop(rows);
        let ended = match ended {
            Ok(()) => match timeout_at(deadline, self.commit_guarded(&mut lease)).await {
                Ok(committed) => committed.map_err(Some),
                Err(_) => Err(None),
            },
            failed => failed,
        };
        match ended {
            Ok(()) => Ok(()),
            Err(Some(error)) => self.checked(lease, Err(error)),
            Err(None) => Err(self.timed_out(lease)),
        }
    }
}
