//! Limits on the addresses of callers: requests under way, and unknown keys in a minute.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::problem::{Kind, Problem};

/// Addresses, and keys, that are remembered; beyond, the oldest facts are forgotten.
const MAX_REMEMBERED: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);

/// An address as the limits count it. An IPv6 network of 64 bits is one: each caller has that many addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// The settings of the limits on addresses.
#[derive(Debug, Clone, Copy)]
pub struct AddressLimitSettings {
    /// Requests under way for each address behind a trusted proxy; 0: no limit. For other addresses the listener limits
    /// the connections.
    pub max_requests: usize,
    /// Unknown keys that an address may present in a minute; 0: no limit.
    pub failed_keys_per_minute: u32,
}

/// The limits on addresses of this process.
#[derive(Debug)]
pub struct AddressLimits {
    settings: AddressLimitSettings,
    under_way: Mutex<HashMap<AddressGroup, usize>>,
    failures: Mutex<HashMap<AddressGroup, Failures>>,
    /// Hashes of keys that were valid lately.
    valid: Mutex<HashMap<u64, Instant>>,
    hasher: RandomState,
}

/// Unknown keys of an address, in the minute from `since`.
#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl AddressLimits {
    /// Limits with nothing used.
    pub fn new(settings: AddressLimitSettings) -> Self {
        Self {
            settings,
            under_way: Mutex::default(),
            failures: Mutex::default(),
            valid: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// A place for one more request of an address behind a proxy, free again when it is dropped.
    pub(crate) fn enter(self: &Arc<Self>, address: AddressGroup) -> Result<AddressPlace, Problem> {
        let mut under_way = lock(&self.under_way);
        let count = under_way.entry(address).or_default();
        if self.settings.max_requests > 0 && *count >= self.settings.max_requests {
            let detail = "limits.max_connections_per_address is reached: too many requests of your address are under way. \
                          dbt Cloud was not contacted.";
            return Err(Problem::new(Kind::BUSY, detail).retry_after(Some(Duration::from_secs(1))));
        }
        *count += 1;
        Ok(AddressPlace {
            limits: Arc::clone(self),
            address,
        })
    }

    /// Allows the look-up of a key that this address presents. Only keys that turn out to be unknown count: many callers
    /// of one address may present valid keys for the first time at once.
    ///
    /// A key that was valid lately is always looked up, so that an address shared by many loses no caller.
    pub(crate) fn attempt(self: &Arc<Self>, address: Option<AddressGroup>, key: &str) -> Result<KeyAttempt, Problem> {
        let key = self.hasher.hash_one(key);
        let limit = self.settings.failed_keys_per_minute;
        let counted = address.filter(|_| limit > 0 && !lock(&self.valid).contains_key(&key));
        if let Some(address) = counted {
            let now = Instant::now();
            let failures = lock(&self.failures);
            let failed = failures.get(&address).filter(|failed| failed.count >= limit);
            let wait = failed.and_then(|failed| MINUTE.checked_sub(now.duration_since(failed.since)));
            if let Some(wait) = wait {
                let detail = format!(
                    "Your address has presented {limit} unknown keys within a minute (limits.failed_keys_per_minute). This \
                     key was not looked up, and dbt Cloud was not contacted."
                );
                return Err(Problem::new(Kind::TOO_MANY_FAILED_KEYS, detail).retry_after(Some(wait)));
            }
        }
        Ok(KeyAttempt {
            limits: Arc::clone(self),
            counted,
            key,
        })
    }
}

/// Forgets the oldest entry when there are too many.
fn make_room<K: Copy + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, age: impl Fn(&V) -> Instant) {
    if map.len() < MAX_REMEMBERED {
        return;
    }
    // Half of them, so that the next ones are not as costly.
    let mut ages: Vec<_> = map.values().map(&age).collect();
    ages.sort_unstable();
    let median = ages[ages.len() / 2];
    map.retain(|_, value| age(value) > median);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of one request.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    limits: Arc<AddressLimits>,
    address: AddressGroup,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut under_way = lock(&self.limits.under_way);
        if let Some(count) = under_way.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.address);
            }
        }
    }
}

/// A key that is being looked up.
#[derive(Debug)]
pub(crate) struct KeyAttempt {
    limits: Arc<AddressLimits>,
    counted: Option<AddressGroup>,
    key: u64,
}

impl KeyAttempt {
    /// Records a valid key.
    pub(crate) fn was_valid(self) {
        if self.counted.is_some() {
            let mut valid = lock(&self.limits.valid);
            make_room(&mut valid, |since| *since);
            valid.insert(self.key, Instant::now());
        }
    }

    /// Records an unknown key.
    pub(crate) fn was_unknown(self) {
        lock(&self.limits.valid).remove(&self.key);
        let Some(address) = self.counted else { return };
        let now = Instant::now();
        let mut failures = lock(&self.limits.failures);
        if !failures.contains_key(&address) {
            make_room(&mut failures, |failed| failed.since);
        }
        let failed = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(failed.since) >= MINUTE {
            *failed = Failures { since: now, count: 0 };
        }
        failed.count = failed.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(failed_keys_per_minute: u32) -> Arc<AddressLimits> {
        Arc::new(AddressLimits::new(AddressLimitSettings {
            max_requests: 2,
            failed_keys_per_minute,
        }))
    }

    fn group(address: &str) -> AddressGroup {
        AddressGroup::of(address.parse().expect("an address"))
    }

    #[test]
    fn an_ipv6_network_of_64_bits_and_a_mapped_ipv4_address_are_one_group() {
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
    }

    #[test]
    fn unknown_keys_use_up_an_address_and_a_key_that_was_valid_is_still_looked_up() {
        let limits = limits(3);
        let (one, other) = (Some(group("192.0.2.1")), Some(group("192.0.2.2")));
        for _ in 0..10 {
            limits
                .attempt(one, "valid")
                .expect("valid keys do not count")
                .was_valid();
        }
        for number in 0..3 {
            limits
                .attempt(one, &number.to_string())
                .expect("below the limit")
                .was_unknown();
        }
        let refused = limits.attempt(one, "3").expect_err("beyond the limit");
        assert_eq!(refused.status(), 429);
        assert!(refused.retry_after.is_some_and(|wait| wait <= MINUTE));
        limits.attempt(one, "valid").expect("known").was_valid();
        limits.attempt(other, "3").expect("another address").was_unknown();
        // Revoked.
        limits.attempt(one, "valid").expect("known").was_unknown();
        limits.attempt(one, "valid").expect_err("no longer known");
    }

    #[test]
    fn keys_that_are_being_looked_up_do_not_count() {
        let limits = limits(1);
        let address = Some(group("192.0.2.1"));
        let attempts: Vec<_> = (0..100)
            .map(|number| {
                limits
                    .attempt(address, &number.to_string())
                    .expect("nothing is known of the key")
            })
            .collect();
        attempts.into_iter().for_each(KeyAttempt::was_valid);
        limits
            .attempt(address, "other")
            .expect("none was unknown")
            .was_unknown();
        limits.attempt(address, "other").expect_err("one was unknown");
    }

    #[test]
    fn the_number_of_remembered_addresses_is_limited() {
        let limits = limits(1);
        for number in 0..3 * u32::try_from(MAX_REMEMBERED).expect("small") {
            let address = AddressGroup::of(std::net::Ipv4Addr::from_bits(number).into());
            limits
                .attempt(Some(address), "key")
                .expect("a new address")
                .was_unknown();
        }
        assert!(lock(&limits.failures).len() <= MAX_REMEMBERED);
    }

    #[test]
    fn requests_of_an_address_are_limited_until_they_end() {
        let limits = limits(0);
        let address = group("192.0.2.1");
        let first = limits.enter(address).expect("a place");
        let _second = limits.enter(address).expect("a place");
        assert_eq!(limits.enter(address).expect_err("two are under way").status(), 503);
        limits.enter(group("192.0.2.2")).expect("another address");
        drop(first);
        limits.enter(address).expect("a place is free");
    }
}
