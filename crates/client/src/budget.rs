//! What is free and used of the budget of an account's requests to dbt Cloud.

use model::{AccountId, RequestType, Target};
use provider::BudgetReport;

use crate::upstreams::Purpose;
use crate::{ClientError, DbtClient};

impl DbtClient {
    /// The account, and one report for each of dbt Cloud's APIs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_budget(self, account: impl Into<Target>) -> Result<(AccountId, Vec<BudgetReport>), ClientError> {
        let mut target = account.into();
        target.credential = target.credential.or_else(|| self.credential.clone());
        self.admit_local(RequestType::GetBudget, target.account).await?;
        let shared = &self.shared;
        let to = shared.upstreams.resolve(&self.caller, &target, Purpose::Use).await?;
        let company = self.caller.company_id;
        let reports = shared.provider.budget(&to, company, shared.clock.now()).await?;
        Ok((to.account_id, reports))
    }
}
