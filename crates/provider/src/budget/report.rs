//! What is free and used of an account's budgets, for `GET /budget`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::{ApiKeyId, ClientType, CompanyId, Effect, RequestType, Upstream};
use storage::{BudgetReading, BudgetUse, PriorityClass, StorageError};

use super::buckets::key;
use super::rate_budget::RateBudget;

/// One API of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetReport {
    /// The API.
    pub api: ClientType,
    /// Requests a minute; `None` if it is not limited.
    pub per_minute: Option<i64>,
    /// What is free now; `None` if it is not limited.
    pub now: Option<BudgetReading>,
    /// What was sent in the last minute.
    pub last_minute: BudgetShares,
}

/// Exchanges of the last minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetShares {
    /// Of all companies.
    pub sent: i64,
    /// By class, in the order of [`PriorityClass::ALL`].
    pub classes: [i64; 3],
    /// Of the company's keys.
    pub keys: BTreeMap<ApiKeyId, i64>,
    /// Of other companies.
    pub other_companies: i64,
}

impl RateBudget {
    /// What is free and used of the budgets of that account, with the keys of that company.
    ///
    /// # Errors
    /// [`StorageError`].
    pub(crate) async fn report(
        &self,
        to: &Upstream,
        company: CompanyId,
        now: DateTime<Utc>,
    ) -> Result<Vec<BudgetReport>, StorageError> {
        let mut reports = BudgetReport::unlimited();
        for report in &mut reports {
            self.describe(to, report).await?;
        }
        for each in self.inner().ledger.used(to.account_id, now).await? {
            if let Some(report) = reports.iter_mut().find(|report| report.api == each.api) {
                report.last_minute.add(&each, company);
            }
        }
        Ok(reports)
    }

    async fn describe(&self, to: &Upstream, report: &mut BudgetReport) -> Result<(), StorageError> {
        let Some(limits) = self.inner().settings.limits(report.api) else {
            return Ok(());
        };
        report.per_minute = Some(limits.per_minute);
        let reading = self.inner().ledger.read(&key(to, report.api), &limits).await?;
        report.now = Some(reading.unwrap_or(BudgetReading {
            free_for_changes: limits.burst,
            free_for_reads: limits.burst - limits.reserve - limits.background,
            cooldown: None,
            is_probing: false,
        }));
        Ok(())
    }
}

impl BudgetReport {
    /// The reports where nothing is limited or counted.
    pub(crate) fn unlimited() -> Vec<Self> {
        let report = |api| Self {
            api,
            per_minute: None,
            now: None,
            last_minute: BudgetShares::default(),
        };
        ClientType::ALL.into_iter().map(report).collect()
    }
}

impl BudgetShares {
    fn add(&mut self, each: &BudgetUse, company: CompanyId) {
        self.sent += each.sent;
        let class = match class_of(each) {
            PriorityClass::Changes => 0,
            PriorityClass::Reads => 1,
            PriorityClass::Background => 2,
        };
        self.classes[class] += each.sent;
        match each.key {
            _ if each.company != company => self.other_companies += each.sent,
            Some(key) => *self.keys.entry(key).or_default() += each.sent,
            None => {}
        }
    }
}

/// The class by the names in the log. A relayed request of an unknown kind counts as a read here.
fn class_of(each: &BudgetUse) -> PriorityClass {
    if each.is_background {
        return PriorityClass::Background;
    }
    let changes = |request_type: RequestType| {
        request_type.as_str() == each.request_type && request_type.effect() == Effect::Change
    };
    let relayed = dbt_routes::operations().map(RequestType::Relayed);
    if RequestType::ALL.into_iter().chain(relayed).any(changes) {
        PriorityClass::Changes
    } else {
        PriorityClass::Reads
    }
}
