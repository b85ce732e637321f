//! The budget of requests: reads wait or are refused, changes pass, and a 429 silences every replica.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use model::{AccountId, ApiKeyId, Caller, ClientContext, JobId, ProjectId, RequestType, StartOptions};
use provider::{ApiError, BudgetSettings, Outcome, ProviderError, RateBudget, Shortage};
use serde_json::json;
use storage::{
    BudgetKey, BudgetLimits, BudgetReading, BudgetUse, MemoryRateLedger, PerClass, RateLedger, Slice, StorageError,
};
use tokio::time::Instant;

use crate::support::{Reply, TestProvider, caller, trigger_input, upstream};

/// Five requests at once, of which one is for changes and one for background work; one more in 0.7 seconds.
fn small() -> BudgetSettings {
    BudgetSettings {
        admin_per_minute: 75,
        wait: Duration::from_secs(5),
        ..BudgetSettings::default()
    }
}

fn limited(
    ledger: &MemoryRateLedger,
    settings: BudgetSettings,
    script: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> TestProvider {
    let mut fixture = TestProvider::with(move |number, _| script(number));
    let budget = RateBudget::new(Arc::new(ledger.clone()), settings, provider::BudgetMetrics::default());
    fixture.provider = fixture.provider.clone().with_budget(budget);
    fixture
}

fn project() -> Reply {
    Reply::ok(&json!({"id": 7}))
}

fn run() -> Reply {
    Reply::ok(&json!({"id": 9, "status": 1, "job_definition_id": 1}))
}

async fn read(fixture: &TestProvider) -> Result<(), ProviderError> {
    let ctx = fixture.ctx(RequestType::GetProject);
    fixture.provider.get_project(ctx, ProjectId(7)).await.map(drop)
}

async fn trigger(fixture: &TestProvider) -> Result<(), ProviderError> {
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let started = fixture
        .provider
        .trigger_job(ctx, JobId(1), trigger_input(), StartOptions::default());
    started.await.map(drop)
}

/// The shortage, and the seconds after which to ask again.
fn shortage(result: Result<(), ProviderError>) -> (Shortage, u64) {
    match result.unwrap_err() {
        ProviderError::Api(ApiError::BudgetExhausted { shortage, retry_after })
        | ProviderError::BeforeChange(ApiError::BudgetExhausted { shortage, retry_after }) => (
            shortage,
            retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0),
        ),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn reads_beyond_the_budget_wait_for_it_and_those_that_would_wait_too_long_are_refused() {
    let ledger = MemoryRateLedger::default();
    let fixture = limited(&ledger, small(), |_| project());
    let start = Instant::now();
    let reads = futures::future::join_all((0..40).map(|_| read(&fixture))).await;
    let answered = reads.iter().filter(|result| result.is_ok()).count();
    assert!(
        (8..=12).contains(&answered),
        "{answered}: three at once, and one in 0.9 seconds"
    );
    assert_eq!(fixture.dbt.count(), answered);
    assert!(start.elapsed() < Duration::from_secs(6));
    let refused = reads.into_iter().find(Result::is_err).unwrap();
    let (why, seconds) = shortage(refused);
    assert_eq!(why, Shortage::UsedUp);
    assert!((1..=60).contains(&seconds), "{seconds}");

    let rows = fixture.log.rows();
    let of = |outcome| rows.iter().filter(move |row| row.outcome() == Some(outcome));
    assert_eq!(of(Outcome::Succeeded).count(), answered);
    assert_eq!(of(Outcome::BudgetExhausted).count(), 40 - answered);
    assert!(
        of(Outcome::BudgetExhausted).all(|row| row.attempts() == 0),
        "dbt Cloud was not contacted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_answered_at_once_while_reads_wait() {
    let ledger = MemoryRateLedger::default();
    let fixture = Arc::new(limited(&ledger, small(), |_| run()));
    for _ in 0..100 {
        let fixture = Arc::clone(&fixture);
        tokio::spawn(async move { read(&fixture).await });
    }
    fixture.dbt.received(3).await;
    let start = Instant::now();
    trigger(&fixture).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn two_keys_get_equal_parts_however_much_one_asks_for() {
    #[expect(clippy::disallowed_methods, reason = "the gate is not part of these tests")]
    fn of_key(fixture: &TestProvider, key: i64) -> ClientContext {
        let caller = Caller {
            api_key_id: ApiKeyId(key),
            ..caller()
        };
        ClientContext::admitted(fixture.stamp(), RequestType::GetProject, caller, Arc::new(upstream()))
    }
    let ledger = MemoryRateLedger::default();
    let fixture = limited(&ledger, small(), |_| project());
    let reads = (0..35).map(|number| {
        let key = if number < 30 { 1 } else { 2 };
        let read = fixture.provider.get_project(of_key(&fixture, key), ProjectId(7));
        async move { (key, read.await.is_ok()) }
    });
    let reads = futures::future::join_all(reads).await;
    let answered = |key| reads.iter().filter(|each| **each == (key, true)).count();
    assert!(
        answered(2) >= 3 && answered(1) <= answered(2) + 4,
        "{} and {}",
        answered(1),
        answered(2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_429_silences_every_replica_until_the_time_is_over_and_then_one_request_tries() {
    let ledger = MemoryRateLedger::default();
    let settings = BudgetSettings::default();
    let first = limited(&ledger, settings, |number| match number {
        1 => Reply::status(429).retry_after(20),
        _ => project(),
    });
    let second = limited(&ledger, settings, |_| project().after(Duration::from_secs(1)));
    read(&second).await.unwrap();
    assert!(matches!(
        read(&first).await,
        Err(ProviderError::Api(ApiError::TooManyRequests { .. }))
    ));
    assert_eq!(shortage(read(&first).await), (Shortage::Cooldown, 20));
    assert_eq!(shortage(trigger(&first).await), (Shortage::Cooldown, 20));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shortage(read(&second).await).0, Shortage::Cooldown);
    // A process that starts meanwhile.
    let third = limited(&ledger, settings, |_| project());
    assert_eq!(shortage(read(&third).await).0, Shortage::Cooldown);
    assert_eq!((first.dbt.count(), second.dbt.count(), third.dbt.count()), (1, 1, 0));

    tokio::time::sleep(Duration::from_secs(20)).await;
    let reads = (0..5).flat_map(|_| [read(&second), read(&third)]);
    let reads = tokio::time::timeout(Duration::from_millis(900), futures::future::join_all(reads)).await;
    assert!(reads.is_err(), "they wait for the one that tries");
    assert_eq!(
        second.dbt.count() + third.dbt.count(),
        2,
        "the first read, and one that tries"
    );
    let answered = futures::future::join_all((0..5).map(|_| read(&third))).await;
    assert!(answered.iter().all(Result::is_ok), "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn a_429_after_the_cooldown_begins_it_again() {
    let ledger = MemoryRateLedger::default();
    let fixture = limited(&ledger, BudgetSettings::default(), |_| Reply::status(429));
    assert!(read(&fixture).await.is_err());
    assert_eq!(shortage(read(&fixture).await), (Shortage::Cooldown, 300));
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert!(matches!(
        read(&fixture).await,
        Err(ProviderError::Api(ApiError::TooManyRequests { .. }))
    ));
    assert_eq!(shortage(read(&fixture).await), (Shortage::Cooldown, 300));
    assert_eq!(fixture.dbt.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_api_without_a_limit_is_not_counted() {
    let ledger = MemoryRateLedger::default();
    let unlimited = BudgetSettings {
        admin_per_minute: 0,
        ..BudgetSettings::default()
    };
    let fixture = limited(&ledger, unlimited, |_| Reply::status(429));
    for _ in 0..3 {
        assert!(matches!(
            read(&fixture).await,
            Err(ProviderError::Api(ApiError::TooManyRequests { .. }))
        ));
    }
    assert!(ledger.cooldowns().await.unwrap().is_empty());
}

/// A database that is away.
struct Away;

#[async_trait]
impl RateLedger for Away {
    async fn lease(&self, _: &BudgetKey, _: &BudgetLimits, _: PerClass) -> Result<Slice, StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }

    async fn cool_down(&self, _: &BudgetKey, _: Duration, _: bool) -> Result<Duration, StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }

    async fn end_probe(&self, _: &BudgetKey, _: &BudgetLimits, _: bool) -> Result<(), StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }

    async fn cooldowns(&self) -> Result<Vec<(BudgetKey, Duration)>, StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }

    async fn read(&self, _: &BudgetKey, _: &BudgetLimits) -> Result<Option<BudgetReading>, StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }

    async fn used(&self, _: AccountId, _: DateTime<Utc>) -> Result<Vec<BudgetUse>, StorageError> {
        Err(StorageError::TimedOut(Duration::from_secs(1)))
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_while_the_budget_cannot_be_read() {
    let mut fixture = TestProvider::with(|_, _| project());
    let budget = RateBudget::new(
        Arc::new(Away),
        BudgetSettings::default(),
        provider::BudgetMetrics::default(),
    );
    fixture.provider = fixture.provider.clone().with_budget(budget);
    let reads = futures::future::join_all((0..5).map(|_| read(&fixture))).await;
    for result in reads {
        assert!(matches!(
            result,
            Err(ProviderError::Api(ApiError::BudgetUnavailable(_)))
        ));
    }
    assert!(matches!(
        trigger(&fixture).await,
        Err(ProviderError::BeforeChange(ApiError::BudgetUnavailable(_)))
    ));
    assert_eq!(fixture.dbt.count(), 0);
    let rows = fixture.log.rows();
    let outcomes: HashSet<_> = rows.iter().filter_map(storage::LogRow::outcome).collect();
    assert_eq!(outcomes, HashSet::from([Outcome::Refused]));
    assert!(rows.iter().all(|row| row.attempts() == 0));
}
