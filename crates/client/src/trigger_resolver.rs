//! Background work: looks for the runs of triggers whose answers were lost, whichever process sent them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AccountId, Caller, CompanyId, RequestStamp, RequestType, Surface, Target};
use storage::{Attempt, AttemptEnd};

use crate::upstreams::Purpose;
use crate::{ClientError, Clients};

/// Attempts of one pass at most; those of an account share the list calls of a look.
const BATCH: i64 = 100;

/// Attempts that one look can find: of one company and account at one host, by one credential.
type Group = (CompanyId, String, AccountId, String);

impl Clients {
    /// Looks once for the runs of the attempts that are due. Returns the number of attempts that were looked for. `lease` is
    /// for how long another process leaves them alone.
    ///
    /// # Errors
    /// [`ClientError::Records`]. A look that fails is logged, and made again later.
    pub async fn resolve_triggers(&self, lease: Duration) -> Result<usize, ClientError> {
        let due = self.shared().records.triggers.claim_due(BATCH, lease).await?;
        let count = due.len();
        let mut groups: BTreeMap<Group, Vec<Attempt>> = BTreeMap::new();
        for attempt in due {
            if !attempt.is_sent {
                // Its process died while it looked at active runs.
                let triggers = &self.shared().records.triggers;
                triggers.end(attempt.lease, &AttemptEnd::NotStarted, None).await?;
                continue;
            }
            let group = (
                attempt.company_id,
                attempt.host.clone(),
                attempt.account_id,
                attempt.credential.clone(),
            );
            groups.entry(group).or_default().push(attempt);
        }
        for (group, attempts) in groups {
            if let Err(error) = self.look_for(group, attempts).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a look for the runs of lost triggers failed; it is made again"
                );
            }
        }
        Ok(count)
    }

    async fn look_for(
        &self,
        (company, host, account, credential): Group,
        attempts: Vec<Attempt>,
    ) -> Result<(), ClientError> {
        let shared = self.shared();
        let stamp = RequestStamp::now(&*shared.clock, Surface::Internal, None);
        let caller = Caller::internal(company);
        let target = |credential| Target {
            account: Some(account),
            credential,
        };
        let named = shared
            .upstreams
            .resolve(&caller, &target(Some(credential)), Purpose::Manage)
            .await;
        let upstream = match named {
            Err(ClientError::UnknownCredential(_)) => {
                shared.upstreams.resolve(&caller, &target(None), Purpose::Manage).await
            }
            found => found,
        };
        match upstream {
            Ok(upstream) if upstream.admin_url.host_str() == Some(host.as_str()) => {
                let (provider, ctx) = self.internal_context(stamp, RequestType::ResolveTriggers, caller, upstream);
                let ended = provider.resolve_triggers(ctx, attempts).await?;
                tracing::debug!(ended, "looked for the runs of lost triggers");
                Ok(())
            }
            Ok(_) | Err(ClientError::UnknownAccount(_)) => {
                for attempt in attempts {
                    let end = AttemptEnd::Unresolved {
                        reason: "the company has no credential for the account any more".to_owned(),
                        candidates: Vec::new(),
                    };
                    shared.records.triggers.end(attempt.lease, &end, None).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
