//! Authentication: the form of a key, its record, and how long a lookup is cached.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use client::{ClientError, ClientSettings};
use futures::future::{self, FutureExt as _};
use model::Role;
use storage::KeyRecord;

use crate::support::{COMPANY, TestClients, caller, key, noon, settings, valid};

/// A cache TTL short enough to expire in a test and long enough for many requests before: use must not extend it.
fn short_lived() -> ClientSettings {
    ClientSettings {
        key_max_age: Duration::from_millis(100),
        ..settings()
    }
}

/// Repeats until `seen`, which the cache TTL decides. The test fails after a minute.
async fn wait_until(seen: impl AsyncFn() -> bool) {
    let repeat = async {
        while !seen().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), repeat).await.unwrap();
}

#[tokio::test]
async fn a_valid_key_authenticates_its_caller() {
    let fixture = TestClients::new();
    fixture.keys.insert(&key(1), valid(caller(Role::Operator)));

    let client = fixture.with_key(&key(1)).await.unwrap();

    assert_eq!(client.caller(), &caller(Role::Operator));
    assert!(!format!("{client:?}").contains(&key(1)), "the key is not kept");
}

#[tokio::test]
async fn an_unknown_key_is_refused() {
    let fixture = TestClients::new();
    fixture.keys.insert(&key(1), valid(caller(Role::Admin)));
    let refused = fixture.with_key(&key(2)).await;
    assert!(matches!(refused, Err(ClientError::Unauthenticated)), "{refused:?}");
}

#[tokio::test]
async fn a_malformed_key_is_not_looked_up() {
    let fixture = TestClients::new();
    let key = key(1);
    for malformed in [
        "",
        "dgw_",
        "Bearer",
        &key[1..],
        &key[..key.len() - 1],
        "dbtc_sesame_4711",
    ] {
        let refused = fixture.with_key(malformed).await;
        assert!(matches!(refused, Err(ClientError::Unauthenticated)), "{malformed:?}");
    }
    assert_eq!(fixture.keys.lookups(), 0);
}

#[tokio::test]
async fn an_expired_or_revoked_key_is_refused() {
    let fixture = TestClients::new();
    let expired = KeyRecord {
        expires_at: Some(noon()),
        ..valid(caller(Role::Admin))
    };
    let revoked = KeyRecord {
        revoked_at: Some(noon()),
        ..valid(caller(Role::Admin))
    };
    fixture.keys.insert(&key(1), expired);
    fixture.keys.insert(&key(2), revoked);
    for number in [1, 2] {
        let refused = fixture.with_key(&key(number)).await;
        assert!(
            matches!(refused, Err(ClientError::Unauthenticated)),
            "{number}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_cached_key_expires_on_time() {
    let fixture = TestClients::new();
    let record = KeyRecord {
        expires_at: Some(noon() + TimeDelta::seconds(1)),
        ..valid(caller(Role::Viewer))
    };
    fixture.keys.insert(&key(1), record);

    assert!(fixture.with_key(&key(1)).await.is_ok());
    fixture.clock.advance(TimeDelta::seconds(1));
    assert!(fixture.with_key(&key(1)).await.is_err());
    assert_eq!(fixture.keys.lookups(), 1);
}

#[tokio::test]
async fn a_key_is_looked_up_once_within_the_cache_ttl() {
    let fixture = TestClients::new();
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    fixture.keys.insert(&key(2), valid(caller(Role::Admin)));
    for _ in 0..50 {
        assert!(fixture.with_key(&key(1)).await.is_ok());
    }
    assert_eq!(fixture.keys.lookups(), 1);
    assert_eq!(fixture.with_key(&key(2)).await.unwrap().caller().role, Role::Admin);
    assert_eq!(fixture.keys.lookups(), 2, "each key is looked up separately");
}

#[tokio::test]
async fn a_record_is_cached_no_longer_than_key_max_age() {
    let fixture = TestClients::with_credentials(short_lived(), &[(COMPANY, 10, "production")]);
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    assert!(fixture.with_key(&key(1)).await.is_ok());

    let revoked = KeyRecord {
        revoked_at: Some(noon()),
        ..valid(caller(Role::Viewer))
    };
    fixture.keys.insert(&key(1), revoked);

    wait_until(async || matches!(fixture.with_key(&key(1)).await, Err(ClientError::Unauthenticated))).await;
}

#[tokio::test]
async fn concurrent_requests_with_one_key_share_one_lookup() {
    let fixture = TestClients::new();
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    fixture.keys.blocked.send_replace(true);
    let key = key(1);
    let requests = future::join_all((0..20).map(|_| fixture.with_key(&key)));
    tokio::pin!(requests);

    assert!((&mut requests).now_or_never().is_none(), "all twenty wait");
    fixture.keys.blocked.send_replace(false);

    assert!(requests.await.iter().all(Result::is_ok));
    assert_eq!(fixture.keys.lookups(), 1);
}

#[tokio::test]
async fn an_unknown_key_costs_one_query_and_hinders_no_other_key() {
    let fixture = TestClients::new();
    for _ in 0..50 {
        let refused = fixture.with_key(&key(1)).await;
        assert!(matches!(refused, Err(ClientError::Unauthenticated)), "{refused:?}");
    }
    assert_eq!(fixture.keys.lookups(), 1);
    fixture.keys.insert(&key(2), valid(caller(Role::Viewer)));
    assert!(fixture.with_key(&key(2)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_fails_in_time_and_the_next_one_works() {
    let limits = ClientSettings {
        look_up_limit: Duration::from_secs(5),
        ..settings()
    };
    let fixture = TestClients::with_credentials(limits, &[(COMPANY, 10, "production")]);
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    fixture.keys.blocked.send_replace(true);
    let refused = fixture.with_key(&key(1)).await;
    assert!(matches!(refused, Err(ClientError::KeysUnavailable)), "{refused:?}");
    fixture.keys.blocked.send_replace(false);
    assert!(fixture.with_key(&key(1)).await.is_ok());
    assert_eq!(fixture.keys.lookups(), 2);
}

#[tokio::test]
async fn an_unavailable_key_table_is_a_different_error_than_a_wrong_key() {
    let fixture = TestClients::new();
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    fixture.keys.unavailable.store(true, Ordering::Relaxed);

    let refused = fixture.with_key(&key(1)).await;
    assert!(matches!(refused, Err(ClientError::KeysUnavailable)), "{refused:?}");

    // The failure is not cached.
    fixture.keys.unavailable.store(false, Ordering::Relaxed);
    assert!(fixture.with_key(&key(1)).await.is_ok());
}

#[tokio::test]
async fn a_cached_key_is_refused_if_the_key_table_is_unavailable_beyond_the_ttl() {
    let fixture = TestClients::with_credentials(short_lived(), &[(COMPANY, 10, "production")]);
    fixture.keys.insert(&key(1), valid(caller(Role::Viewer)));
    assert!(fixture.with_key(&key(1)).await.is_ok());
    fixture.keys.unavailable.store(true, Ordering::Relaxed);
    wait_until(async || matches!(fixture.with_key(&key(1)).await, Err(ClientError::KeysUnavailable))).await;
}
