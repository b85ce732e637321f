//! Who gets in: the key's form, its record, and how long a look-up is believed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use client::{ClientError, ClientSettings};
use futures::future::{self, FutureExt as _};
use model::Role;
use storage::KeyRecord;

use crate::support::{Bench, COMPANY, caller, key, noon, settings, valid};

/// A key that is believed for so short that a test can see it end, and so long that the test asks many times before:
/// being asked for must not make it younger.
fn fleeting() -> ClientSettings {
    ClientSettings {
        key_max_age: Duration::from_millis(100),
        ..settings()
    }
}

/// Asks until `seen`. It ends with the key's age; a minute is for a machine that stands still, and fails the test.
async fn until(seen: impl AsyncFn() -> bool) {
    let asking = async {
        while !seen().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.unwrap();
}

#[tokio::test]
async fn a_valid_key_authenticates_its_caller() {
    let bench = Bench::new();
    bench.keys.put(&key(1), valid(caller(Role::Operator)));

    let client = bench.with_key(&key(1)).await.unwrap();

    assert_eq!(client.caller(), &caller(Role::Operator));
    assert!(!format!("{client:?}").contains(&key(1)), "the key is not kept");
}

#[tokio::test]
async fn an_unknown_key_opens_nothing() {
    let bench = Bench::new();
    bench.keys.put(&key(1), valid(caller(Role::Admin)));
    let refused = bench.with_key(&key(2)).await;
    assert!(matches!(refused, Err(ClientError::Unauthenticated)), "{refused:?}");
}

#[tokio::test]
async fn what_has_not_the_form_of_a_key_is_not_even_looked_up() {
    let bench = Bench::new();
    let key = key(1);
    for malformed in [
        "",
        "dgw_",
        "Bearer",
        &key[1..],
        &key[..key.len() - 1],
        "dbtc_sesame_4711",
    ] {
        let refused = bench.with_key(malformed).await;
        assert!(matches!(refused, Err(ClientError::Unauthenticated)), "{malformed:?}");
    }
    assert_eq!(bench.keys.look_ups(), 0);
}

#[tokio::test]
async fn an_expired_or_revoked_key_opens_nothing() {
    let bench = Bench::new();
    let expired = KeyRecord {
        expires_at: Some(noon()),
        ..valid(caller(Role::Admin))
    };
    let revoked = KeyRecord {
        revoked_at: Some(noon()),
        ..valid(caller(Role::Admin))
    };
    bench.keys.put(&key(1), expired);
    bench.keys.put(&key(2), revoked);
    for number in [1, 2] {
        let refused = bench.with_key(&key(number)).await;
        assert!(
            matches!(refused, Err(ClientError::Unauthenticated)),
            "{number}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_key_expires_to_the_moment_though_it_was_looked_up_before() {
    let bench = Bench::new();
    let record = KeyRecord {
        expires_at: Some(noon() + TimeDelta::seconds(1)),
        ..valid(caller(Role::Viewer))
    };
    bench.keys.put(&key(1), record);

    assert!(bench.with_key(&key(1)).await.is_ok());
    bench.clock.advance(TimeDelta::seconds(1));
    assert!(bench.with_key(&key(1)).await.is_err());
    assert_eq!(bench.keys.look_ups(), 1);
}

#[tokio::test]
async fn a_key_is_looked_up_once_while_its_record_is_young() {
    let bench = Bench::new();
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    bench.keys.put(&key(2), valid(caller(Role::Admin)));
    for _ in 0..50 {
        assert!(bench.with_key(&key(1)).await.is_ok());
    }
    assert_eq!(bench.keys.look_ups(), 1);
    assert_eq!(bench.with_key(&key(2)).await.unwrap().caller().role, Role::Admin);
    assert_eq!(bench.keys.look_ups(), 2, "each key for itself");
}

#[tokio::test]
async fn a_record_is_believed_no_longer_than_set() {
    let bench = Bench::holding(fleeting(), &[(COMPANY, 10, "production")]);
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    assert!(bench.with_key(&key(1)).await.is_ok());

    let revoked = KeyRecord {
        revoked_at: Some(noon()),
        ..valid(caller(Role::Viewer))
    };
    bench.keys.put(&key(1), revoked);

    until(async || matches!(bench.with_key(&key(1)).await, Err(ClientError::Unauthenticated))).await;
}

#[tokio::test]
async fn many_requests_with_one_key_share_one_look_up() {
    let bench = Bench::new();
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    bench.keys.holds.send_replace(true);
    let key = key(1);
    let requests = future::join_all((0..20).map(|_| bench.with_key(&key)));
    tokio::pin!(requests);

    assert!((&mut requests).now_or_never().is_none(), "all twenty wait");
    bench.keys.holds.send_replace(false);

    assert!(requests.await.iter().all(Result::is_ok));
    assert_eq!(bench.keys.look_ups(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_each_time_so_that_a_new_one_opens_at_once() {
    let bench = Bench::new();
    for _ in 0..3 {
        assert!(bench.with_key(&key(1)).await.is_err());
    }
    assert_eq!(bench.keys.look_ups(), 3);
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    assert!(bench.with_key(&key(1)).await.is_ok());
}

#[tokio::test]
async fn without_the_table_of_keys_nobody_gets_in_and_nobody_is_told_that_the_key_is_wrong() {
    let bench = Bench::new();
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    bench.keys.is_away.store(true, Ordering::Relaxed);

    let refused = bench.with_key(&key(1)).await;
    assert!(matches!(refused, Err(ClientError::KeysUnavailable)), "{refused:?}");

    // The failure is not kept.
    bench.keys.is_away.store(false, Ordering::Relaxed);
    assert!(bench.with_key(&key(1)).await.is_ok());
}

#[tokio::test]
async fn away_longer_than_a_record_is_believed_means_refused() {
    let bench = Bench::holding(fleeting(), &[(COMPANY, 10, "production")]);
    bench.keys.put(&key(1), valid(caller(Role::Viewer)));
    assert!(bench.with_key(&key(1)).await.is_ok());
    bench.keys.is_away.store(true, Ordering::Relaxed);
    until(async || matches!(bench.with_key(&key(1)).await, Err(ClientError::KeysUnavailable))).await;
}
