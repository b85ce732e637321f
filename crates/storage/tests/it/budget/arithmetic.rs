//! The arithmetic against a model of dbt Cloud, which counts what arrives in any 60 seconds.

use proptest::prelude::*;
use storage::{BudgetLimits, BudgetState, LEASE, PerClass, Slice};

use super::wanted;

const SECOND: i64 = 1_000_000;
/// From using a slice to dbt Cloud, at most.
const TRAVEL: i64 = SECOND;

/// One step of one replica.
#[derive(Debug, Clone)]
struct Step {
    /// Since the step before, in microseconds.
    after: i64,
    wanted: PerClass,
    /// When each of the granted requests arrives at dbt Cloud, in thousandths of the longest time.
    delay: i64,
    /// The clock of the database is set back by so much first.
    set_back: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![0..1000_i64, 0..SECOND, 0..20 * SECOND];
    let number = || prop_oneof![Just(0_i64), 0..5_i64, 0..1000_i64];
    let delay = prop_oneof![Just(0_i64), Just(1000), 0..=1000_i64];
    let set_back = prop_oneof![9 => Just(0_i64), 1 => 0..120 * SECOND];
    let step = (after, number(), number(), number(), delay, set_back).prop_map(
        |(after, changes, reads, background, delay, set_back)| Step {
            after,
            wanted: wanted(changes, reads, background),
            delay,
            set_back,
        },
    );
    prop::collection::vec(step, 1..150)
}

/// The most that arrived in any 60 seconds.
fn most_in_a_minute(mut arrivals: Vec<(i64, i64)>) -> i64 {
    arrivals.sort_unstable();
    let (mut most, mut sum, mut first) = (0, 0, 0);
    for last in 0..arrivals.len() {
        sum += arrivals[last].1;
        while arrivals[last].0 - arrivals[first].0 > 60 * SECOND {
            sum -= arrivals[first].1;
            first += 1;
        }
        most = most.max(sum);
    }
    most
}

fn lease_us() -> i64 {
    i64::try_from(LEASE.as_micros()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However many replicas ask in whatever order, however late they use what they got within its lease, and also if the
    /// database's clock is set back.
    #[test]
    fn no_minute_at_dbt_cloud_exceeds_the_limit(
        limit in prop_oneof![1..20_u32, 1..6000_u32], reserve in 0..=50_u32, background in 0..=50_u32, steps in steps(),
    ) {
        let limits = BudgetLimits::new(limit, reserve, background);
        let mut state = BudgetState::default();
        // The first: as dbt Cloud's clock; the second: as the database's.
        let (mut time, mut clock) = (0, 1000 * SECOND);
        let mut arrivals = Vec::new();
        for step in steps {
            time += step.after;
            clock += step.after - step.set_back;
            let slice = limits.lease(&mut state, step.wanted, clock);
            prop_assert!(slice.granted.changes <= step.wanted.changes && slice.granted.reads <= step.wanted.reads);
            prop_assert!(slice.granted.background <= step.wanted.background);
            prop_assert_eq!(slice.granted == step.wanted, slice.next_in.is_zero(), "{:?}", slice);
            arrivals.push((time + (lease_us() + TRAVEL) * step.delay / 1000, slice.granted.sum()));
        }
        let most = most_in_a_minute(arrivals);
        prop_assert!(most <= i64::from(limit), "{most} > {limit}");
    }

    /// Reads leave what is reserved, so that a change is granted at once, whatever was asked for before.
    #[test]
    fn reads_never_take_what_only_changes_may_use(limit in 3..6000_u32, steps in steps()) {
        let limits = BudgetLimits::new(limit, 10, 10);
        let (mut state, mut clock) = (BudgetState::default(), 0);
        for step in steps {
            clock += step.after;
            limits.lease(&mut state, PerClass { changes: 0, ..step.wanted }, clock);
        }
        let slice = limits.lease(&mut state, wanted(limits.reserve, 0, 0), clock);
        prop_assert_eq!(slice.granted.changes, limits.reserve);
        prop_assert!(limits.reserve > 0);
    }

    /// While callers ask for more than there is, background work gets its part, and callers get the rest.
    #[test]
    fn background_work_gets_its_part_beside_hungry_reads(limit in 100..6000_u32, percent in 5..=50_u32) {
        let limits = BudgetLimits::new(limit, 10, percent);
        let (mut state, mut got) = (BudgetState::default(), PerClass::default());
        let minutes = 10;
        for step in 0..minutes * 60 * 4 {
            let clock = step * SECOND / 4;
            let slices = [wanted(0, 5000, 0), wanted(0, 0, 5000)].map(|want| limits.lease(&mut state, want, clock));
            for slice in slices {
                got.reads += slice.granted.reads;
                got.background += slice.granted.background;
            }
        }
        let possible = minutes * 60 * SECOND / limits.interval;
        let part = possible * i64::from(percent) / 100;
        prop_assert!(got.background >= part * 9 / 10, "{} of {part}", got.background);
        prop_assert!(got.reads >= (possible - part) * 9 / 10, "{} of {}", got.reads, possible - part);
    }
}

#[test]
fn limits_are_used_as_far_as_their_slices_allow() {
    for (limit, burst, least) in [
        (4800, 194, 4380),
        (480, 22, 430),
        (10, 3, 7),
        (3, 3, 1),
        (2, 2, 1),
        (1, 1, 1),
    ] {
        let limits = BudgetLimits::new(limit, 10, 10);
        assert_eq!(limits.burst, burst, "{limit}");
        assert!(
            60 * SECOND / limits.interval >= least - i64::from(limit < 4),
            "{limit}: {limits:?}"
        );
        let (mut state, mut sent) = (BudgetState::default(), 0);
        for second in 0..=3600 {
            sent += limits
                .lease(&mut state, wanted(0, 5000, 0), second * SECOND)
                .granted
                .sum();
        }
        assert!(sent > 0, "reads pass at {limit} a minute");
    }
}

#[test]
fn after_a_cooldown_one_request_tries_and_then_the_rate_rises() {
    let limits = BudgetLimits::new(4800, 10, 10);
    let mut state = BudgetState::default();
    let want = wanted(5, 5, 5);
    let left = state.cool_down(std::time::Duration::from_mins(5), false, 0);
    assert_eq!(left.as_secs(), 300);
    // Others of the same moment do not prolong it, unless dbt Cloud says so.
    assert_eq!(
        state
            .cool_down(std::time::Duration::from_mins(5), false, SECOND)
            .as_secs(),
        299
    );
    assert_eq!(
        state
            .cool_down(std::time::Duration::from_secs(10), true, SECOND)
            .as_secs(),
        299
    );
    let during = limits.lease(&mut state, want, 299 * SECOND);
    assert_eq!((during.granted, during.cooldown.as_secs()), (PerClass::default(), 1));

    let over = 301 * SECOND;
    let probe = limits.lease(&mut state, want, over);
    assert_eq!(
        (probe.granted, probe.is_probe),
        (wanted(1, 0, 0), true),
        "a change goes first"
    );
    assert_eq!(limits.lease(&mut state, want, over).granted.sum(), 0, "one at a time");
    limits.end_probe(&mut state, false, over);
    assert!(limits.lease(&mut state, want, over).is_probe, "the try was given up");
    let later = over + 10 * SECOND;
    assert!(
        limits.lease(&mut state, want, later).is_probe,
        "the process that tried has died"
    );

    limits.end_probe(&mut state, true, later);
    let mut in_ten_seconds = |from: i64| -> i64 {
        let slices = (0..100).map(|step| limits.lease(&mut state, wanted(0, 5000, 0), from + step * SECOND / 10));
        slices.map(|slice: Slice| slice.granted.sum()).sum()
    };
    let rising: Vec<_> = (0..5).map(|ten| in_ten_seconds(later + ten * 10 * SECOND)).collect();
    assert!(rising.is_sorted() && rising[0] < 100 && rising[4] > 600, "{rising:?}");
}
