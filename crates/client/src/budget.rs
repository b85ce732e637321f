//! What is free and used of the budget of an account's requests to dbt Cloud.

use model::{AccountId, RequestType, Target};
use provider::{BudgetReport, OpenCircuit};

use crate::upstreams::Purpose;
use crate::{ClientError, DbtClient};

/// What an account has left.
#[derive(Debug)]
pub struct AccountBudget {
    /// The account.
    pub account_id: AccountId,
    /// One for each of dbt Cloud's APIs.
    pub apis: Vec<BudgetReport>,
    /// The company's circuits at the account that are not closed in this process.
    pub circuits: Vec<OpenCircuit>,
}

impl DbtClient {
    /// What an account has left.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_budget(self, account: impl Into<Target>) -> Result<AccountBudget, ClientError> {
        let mut target = account.into();
        target.credential = target.credential.or_else(|| self.credential.clone());
        self.admit_local(RequestType::GetBudget, target.account).await?;
        let shared = &self.shared;
        let to = shared.upstreams.resolve(&self.caller, &target, Purpose::Use).await?;
        let company = self.caller.company_id;
        Ok(AccountBudget {
            account_id: to.account_id,
            apis: shared.provider.budget(&to, company, shared.clock.now()).await?,
            circuits: shared.provider.open_circuits(company, to.account_id),
        })
    }
}
