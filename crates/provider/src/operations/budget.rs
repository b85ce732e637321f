//! The budget of an account's requests.

use chrono::{DateTime, Utc};
use model::{CompanyId, Upstream};
use storage::StorageError;

use crate::{BudgetReport, DbtProvider};

impl DbtProvider {
    /// What is free and used of the budgets of that account, one report for each API, with the keys of that company. dbt
    /// Cloud is not contacted.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn budget(
        &self,
        to: &Upstream,
        company: CompanyId,
        now: DateTime<Utc>,
    ) -> Result<Vec<BudgetReport>, StorageError> {
        match &self.budget {
            Some(budget) => budget.report(to, company, now).await,
            None => Ok(BudgetReport::unlimited()),
        }
    }
}
