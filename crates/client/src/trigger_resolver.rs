//! Background work: looks for the runs of triggers whose answers were lost, whichever process sent them.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AccountId, CompanyId, RequestType};
use storage::{Attempt, AttemptEnd};

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
        match self.background_upstream(company, &host, account, &credential).await? {
            Some(upstream) => {
                let (provider, ctx) = self.background_context(RequestType::ResolveTriggers, company, upstream);
                let ended = provider.resolve_triggers(ctx, attempts).await?;
                tracing::debug!(ended, "looked for the runs of lost triggers");
            }
            None => {
                for attempt in attempts {
                    let end = AttemptEnd::Unresolved {
                        reason: "the company has no credential for the account any more".to_owned(),
                        candidates: Vec::new(),
                    };
                    self.shared().records.triggers.end(attempt.lease, &end, None).await?;
                }
            }
        }
        Ok(())
    }
}
