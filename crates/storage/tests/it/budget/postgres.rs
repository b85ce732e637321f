//! The statement in SQL against the arithmetic, and replicas beside each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::Row as _;
use storage::{BudgetLimits, BudgetState, PerClass, PgRateLedger, RateLedger as _};

use super::{key, wanted};
use crate::support::Db;

const STATE: &str = "SELECT (extract(epoch FROM tat) * 1000000)::bigint, \
     (extract(epoch FROM background_tat) * 1000000)::bigint, \
     (extract(epoch FROM cooldown_until) * 1000000)::bigint, is_probing, \
     (extract(epoch FROM probe_until) * 1000000)::bigint, \
     (extract(epoch FROM ramp_from) * 1000000)::bigint, \
     (extract(epoch FROM leased_at) * 1000000)::bigint FROM rate_budget";

/// The state of the only row, and when it was last asked for a slice.
async fn state(db: &Db) -> (BudgetState, i64) {
    let row = sqlx::query(STATE).fetch_one(db.test.pool()).await.unwrap();
    let state = BudgetState {
        tat: row.get(0),
        background_tat: row.get(1),
        cooldown_until: row.get(2),
        is_probing: row.get(3),
        probe_until: row.get(4),
        ramp_from: row.get(5),
    };
    (state, row.get(6))
}

/// Seconds from now; `None`: NULL.
fn set(column: &str, seconds: Option<f64>) -> String {
    seconds.map_or_else(
        || format!("{column} = NULL"),
        |seconds| format!("{column} = clock_timestamp() + make_interval(secs => {seconds})"),
    )
}

#[tokio::test]
async fn the_statement_grants_what_the_arithmetic_says() {
    let db = Db::new().await;
    let ledger = PgRateLedger::new(&db.database);
    let limits = |limit, reserve, background| BudgetLimits::new(limit, reserve, background);
    ledger
        .lease(&key(), &limits(10, 10, 10), PerClass::default())
        .await
        .unwrap();
    let near = || prop::option::weighted(0.4, -40.0..2.0_f64);
    let case = (
        (prop_oneof![1..20_u32, 1..6000_u32], 0..=50_u32, 0..=50_u32),
        (prop_oneof![-1.0..5.0_f64, -1.0..600.0_f64], -1.0..20.0_f64),
        (near(), any::<bool>(), near(), near()),
        (0..6_i64, prop_oneof![0..6_i64, 0..900_i64], 0..30_i64),
    );
    let mut runner = TestRunner::default();
    for _ in 0..120 {
        let ((limit, reserve, background), (tat, background_tat), (cooldown, is_probing, probe, ramp), want) =
            case.new_tree(&mut runner).unwrap().current();
        let limits = limits(limit, reserve, background);
        let want = wanted(want.0, want.1, want.2);
        let is_probing = is_probing && cooldown.is_some();
        let columns = [
            set("tat", Some(tat)),
            set("background_tat", Some(background_tat)),
            set("cooldown_until", cooldown),
            set("probe_until", probe),
            set("ramp_from", ramp.map(|seconds| -seconds.abs())),
            format!("is_probing = {is_probing}"),
        ];
        db.run(&format!("UPDATE rate_budget SET {}", columns.join(", "))).await;
        let (mut expected, _) = state(&db).await;
        let before = expected;
        let slice = ledger.lease(&key(), &limits, want).await.unwrap();
        let (after, now) = state(&db).await;
        let expected_slice = limits.lease(&mut expected, want, now);
        assert_eq!(
            (slice, after),
            (expected_slice, expected),
            "{limits:?} {want:?} {before:?} at {now}"
        );
    }
}

/// As many statements at once as the pool has connections: those that wait for the row see what the others took.
#[tokio::test]
async fn replicas_beside_each_other_never_get_more_than_there_is() {
    let db = Db::new().await;
    for (limit, want) in [(4800, 7), (10, 1)] {
        db.run("TRUNCATE rate_budget").await;
        let limits = BudgetLimits::new(limit, 10, 10);
        let (got, start) = (Arc::new(AtomicI64::new(0)), Instant::now());
        let replicas = (0..6).map(|_| {
            let (ledger, got) = (PgRateLedger::new(&db.database), Arc::clone(&got));
            async move {
                while start.elapsed() < Duration::from_millis(700) {
                    let slice = ledger.lease(&key(), &limits, wanted(want, want, want)).await.unwrap();
                    got.fetch_add(slice.granted.sum(), Ordering::Relaxed);
                }
            }
        });
        join_all(replicas).await;
        let most = limits.burst + i64::try_from(start.elapsed().as_micros()).unwrap() / limits.interval + 1;
        let got = got.load(Ordering::Relaxed);
        assert!(got <= most, "{got} of {most}");
        assert!(got >= limits.burst, "{got} of {most}: all that was free");
    }
}

#[tokio::test]
async fn a_cooldown_is_seen_by_every_process_and_outlives_the_one_that_opened_it() {
    let db = Db::new().await;
    let limits = BudgetLimits::new(4800, 10, 10);
    let five_minutes = Duration::from_mins(5);
    let first = PgRateLedger::new(&db.database);
    let left = first.cool_down(&key(), five_minutes, false).await.unwrap();
    assert!(left <= five_minutes && left > Duration::from_mins(4), "{left:?}");
    drop(first);

    let second = PgRateLedger::new(&db.database);
    let slice = second.lease(&key(), &limits, wanted(1, 1, 1)).await.unwrap();
    assert_eq!(slice.granted.sum(), 0);
    assert!(slice.cooldown > Duration::from_mins(4), "{slice:?}");
    let open = second.cooldowns().await.unwrap();
    assert!(matches!(&open[..], [(open, left)] if *open == key() && *left > Duration::from_mins(4)));
    let reading = second.read(&key(), &limits).await.unwrap().unwrap();
    assert_eq!((reading.free_for_changes, reading.free_for_reads), (0, 0));

    db.run("UPDATE rate_budget SET cooldown_until = clock_timestamp()")
        .await;
    let probe = second.lease(&key(), &limits, wanted(0, 9, 9)).await.unwrap();
    assert_eq!((probe.granted, probe.is_probe), (wanted(0, 1, 0), true));
    second.end_probe(&key(), &limits, true).await.unwrap();
    assert!(second.cooldowns().await.unwrap().is_empty());
    let reading = second.read(&key(), &limits).await.unwrap().unwrap();
    assert!(!reading.is_probing && reading.free_for_reads < 5, "{reading:?}");
}

#[tokio::test]
async fn rows_that_are_not_used_are_removed_and_others_kept() {
    let db = Db::new().await;
    let (ledger, limits) = (PgRateLedger::new(&db.database), BudgetLimits::new(10, 10, 10));
    ledger.lease(&key(), &limits, wanted(0, 1, 0)).await.unwrap();
    assert_eq!(ledger.remove_unused().await.unwrap(), 0);
    db.run("UPDATE rate_budget SET leased_at = clock_timestamp() - interval '2 days'")
        .await;
    assert_eq!(ledger.remove_unused().await.unwrap(), 1);
    assert_eq!(ledger.read(&key(), &limits).await.unwrap(), None);
}
