//! Transactions with one deadline for all their statements.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::time::{Instant, timeout_at};

use super::BoundedPool;
use super::lease::Lease;
use crate::error::{StatementTimeout, StorageError};

/// A transaction. Dropped before [`Self::commit`] it is rolled back; after its deadline its connection is thrown away.
pub(crate) struct BoundedTransaction {
    /// `None` once dropped.
    lease: Option<Lease>,
    deadline: Instant,
}

impl BoundedPool {
    /// Runs `work`, which commits the transaction.
    ///
    /// # Errors
    /// [`StorageError::TimedOut`] at the deadline: a commit may then have happened or not. Errors of `work`.
    pub(crate) async fn transaction<T, Work>(
        &self,
        work: impl FnOnce(BoundedTransaction) -> Work,
    ) -> Result<T, StorageError>
    where
        Work: Future<Output = Result<T, StorageError>>,
    {
        let lease = self.lease().await?;
        let deadline = Instant::now() + self.limit;
        let begin = Arc::clone(&self.begin);
        let mut transaction = BoundedTransaction {
            lease: Some(lease),
            deadline,
        };
        let bounded = timeout_at(deadline, async move {
            transaction.lease().begin(&begin).await?;
            work(transaction).await
        });
        let Ok(done) = bounded.await else {
            self.suspicion.raise();
            return Err(sqlx::Error::from(StatementTimeout(self.limit)).into());
        };
        if let Err(StorageError::Query(error)) = &done
            && super::is_about_the_server(error)
        {
            self.suspicion.raise();
        }
        done
    }
}

impl BoundedTransaction {
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.lease().commit().await
    }

    fn lease(&mut self) -> &mut Lease {
        self.lease.as_mut().expect(HELD)
    }
}

const HELD: &str = "the connection is held until the transaction is dropped";

impl Deref for BoundedTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.lease.as_ref().expect(HELD)
    }
}

impl DerefMut for BoundedTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.lease()
    }
}

impl Drop for BoundedTransaction {
    fn drop(&mut self) {
        if Instant::now() >= self.deadline
            && let Some(lease) = self.lease.take()
        {
            lease.discard();
        }
    }
}
