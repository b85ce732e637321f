//! Recently started runs, found in the request log.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use model::{AccountId, CompanyId, FixedClock, InstanceId, RequestStamp, RequestType, RunId, Surface};
use serde_json::json;
use storage::{
    Closing, Database, DatabaseSettings, FixedColumns, LogRow, Outcome, PgStartedRuns, RequestLog as _, RowLimits,
    StartedRuns as _,
};

use crate::support::{Db, TIMEOUT, noon, stamp_at};

const COMPANY: CompanyId = CompanyId(1);
const ACCOUNT: AccountId = AccountId(70_403_103_932_111);
/// Longer than 32 bits.
const RUN: RunId = RunId(70_403_110_257_831);

/// By default a trigger of [`RUN`] that arrived at that time and succeeded.
struct Started {
    at: DateTime<Utc>,
    request_type: RequestType,
    company: CompanyId,
    account: AccountId,
    run: RunId,
    outcome: Outcome,
    instance: InstanceId,
}

impl Started {
    fn at(at: DateTime<Utc>) -> Self {
        Self {
            at,
            request_type: RequestType::TriggerJob,
            company: COMPANY,
            account: ACCOUNT,
            run: RUN,
            outcome: Outcome::Succeeded,
            instance: InstanceId(1),
        }
    }

    fn fixed(&self) -> (FixedColumns, RequestStamp) {
        let stamp = RequestStamp::now(&FixedClock::at(self.at), Surface::Rest, None);
        let limits = RowLimits::default();
        let mut fixed = FixedColumns::new(&stamp, self.request_type, self.company, &json!({}), &limits);
        fixed.account_id = Some(self.account);
        fixed.instance_id = Some(self.instance);
        (fixed, stamp)
    }

    fn row(&self) -> LogRow {
        let (fixed, stamp) = self.fixed();
        let mut closing = Closing::new(self.outcome, &stamp, self.at, None, &RowLimits::default());
        closing.run_id = Some(self.run);
        fixed.closed(closing)
    }
}

async fn was_started(runs: &PgStartedRuns, since: DateTime<Utc>) -> bool {
    runs.was_started(COMPANY, ACCOUNT, RUN, since).await.unwrap()
}

/// A database with only that row in the log.
async fn log_with(row: LogRow) -> (Db, PgStartedRuns) {
    let db = Db::new().await;
    db.log().write(&[row]).await.unwrap();
    let runs = PgStartedRuns::new(&db.database);
    (db, runs)
}

#[tokio::test]
async fn a_run_counts_as_started_from_the_given_time_on() {
    let (_db, runs) = log_with(Started::at(noon()).row()).await;
    for (since, is_new) in [
        (noon() - TimeDelta::seconds(60), true),
        (noon(), true),
        (noon() + TimeDelta::microseconds(1), false),
        (noon() + TimeDelta::days(1), false),
    ] {
        assert_eq!(was_started(&runs, since).await, is_new, "{since}");
    }
}

#[tokio::test]
async fn a_run_started_before_midnight_is_found_after_midnight() {
    let midnight = noon() + TimeDelta::hours(12);
    let (_db, runs) = log_with(Started::at(midnight - TimeDelta::seconds(5)).row()).await;
    assert!(was_started(&runs, midnight - TimeDelta::seconds(30)).await);
    assert!(!was_started(&runs, midnight).await);
}

#[tokio::test]
async fn company_account_and_run_must_all_match() {
    let (_db, runs) = log_with(Started::at(noon()).row()).await;
    let since = noon() - TimeDelta::seconds(60);
    for (company, account, run, matches) in [
        (COMPANY, ACCOUNT, RUN, true),
        (CompanyId(2), ACCOUNT, RUN, false),
        (COMPANY, AccountId(ACCOUNT.0 + 1), RUN, false),
        (COMPANY, ACCOUNT, RunId(RUN.0 + 1), false),
        // Only the lower 32 bits.
        (COMPANY, ACCOUNT, RunId(RUN.0 & 0xffff_ffff), false),
    ] {
        let found = runs.was_started(company, account, run, since).await.unwrap();
        assert_eq!(found, matches, "{company:?} {account} {run}");
    }
}

#[tokio::test]
async fn only_request_types_that_start_a_run_count() {
    let db = Db::new().await;
    let runs = PgStartedRuns::new(&db.database);
    for (run, request_type) in (1..).map(RunId).zip(RequestType::ALL) {
        let started = Started {
            request_type,
            run,
            ..Started::at(noon())
        };
        db.log().write(&[started.row()]).await.unwrap();
        let found = runs.was_started(COMPANY, ACCOUNT, run, noon()).await.unwrap();
        assert_eq!(found, RequestType::STARTS_RUN.contains(&request_type), "{request_type}");
    }
}

#[tokio::test]
async fn a_failed_or_open_start_does_not_count() {
    let db = Db::new().await;
    let runs = PgStartedRuns::new(&db.database);
    for outcome in Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::Succeeded)
    {
        let started = Started {
            outcome,
            ..Started::at(noon())
        };
        db.log().write(&[started.row()]).await.unwrap();
        assert!(!was_started(&runs, noon()).await, "{outcome:?}");
    }
    // The open row of a retry names the run to retry, not the started one.
    let retry = Started {
        request_type: RequestType::RetryRun,
        ..Started::at(noon())
    };
    let (mut fixed, _) = retry.fixed();
    fixed.run_id = Some(RUN);
    db.log().write(&[Arc::new(fixed).open()]).await.unwrap();
    assert!(!was_started(&runs, noon()).await);
}

#[tokio::test]
async fn a_run_started_by_another_replica_is_found() {
    let db = Db::new().await;
    let other = Database::new(&DatabaseSettings {
        url: db.url().into(),
        max_connections: 1,
        acquire_timeout: TIMEOUT,
        direct_url: None,
        statement_timeout: TIMEOUT,
        migrations: storage::MigrationSettings::default(),
    })
    .unwrap();
    let there = PgStartedRuns::new(&other);
    assert!(!was_started(&there, noon()).await);
    let started = Started {
        instance: InstanceId(2),
        ..Started::at(noon())
    };
    db.log().write(&[started.row()]).await.unwrap();
    assert!(was_started(&there, noon()).await);
    other.close().await;
}

#[tokio::test]
async fn an_unavailable_database_is_an_error() {
    let db = Db::new().await;
    let runs = PgStartedRuns::new(&db.database);
    db.database.close().await;
    let asked = runs.was_started(COMPANY, ACCOUNT, RUN, stamp_at(noon()).started_at());
    assert!(asked.await.is_err());
}
