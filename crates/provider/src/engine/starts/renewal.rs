//! Leases that are held while work goes on.

use std::pin::pin;
use std::time::Duration;

use storage::StorageError;

/// Runs `work`; meanwhile `renew` extends the lease, three times in its life. Work whose lease is lost goes on: what it may
/// still change is decided by the fence, or by the owner, of each later statement.
pub(super) async fn while_renewing<T, Renewing>(
    what: &'static str,
    lease: Duration,
    renew: impl Fn() -> Renewing,
    work: impl Future<Output = T>,
) -> T
where
    Renewing: Future<Output = Result<bool, StorageError>>,
{
    let renewing = async {
        loop {
            tokio::time::sleep(lease / 3).await;
            match renew().await {
                Ok(true) => {}
                Ok(false) => tracing::warn!(lease = what, "a lease was lost"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        lease = what,
                        "a lease was not renewed"
                    );
                }
            }
        }
    };
    tokio::select! {
        done = pin!(work) => done,
        () = renewing => unreachable!("renewing never ends"),
    }
}
