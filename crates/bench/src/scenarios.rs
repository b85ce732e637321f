//! Scenarios: the load, its length, the measured subjects.

use std::time::Duration;

use crate::load::{Load, Pace};
use crate::subjects::Subject::{self, Baseline, Direct, FullTelemetry, Gateway, Nginx, NoTelemetry, TwoCommits};

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) subjects: &'static [Subject],
    pub(crate) load: Load,
    /// Of each response of the upstream.
    pub(crate) delay: Duration,
    /// Whether each round also runs `pgbench`.
    pub(crate) with_commits: bool,
}

pub(crate) const ONE_CONNECTION: &str = "1 connection";
pub(crate) const CONNECTIONS_64: &str = "64 connections";
pub(crate) const CONNECTIONS_256: &str = "256 connections";
pub(crate) const SLOW_UPSTREAM: &str = "256 connections, upstream delay 50 ms";
pub(crate) const TELEMETRY: &str = "64 connections, telemetry";
pub(crate) const CONSTANT_RATE: &str = "1,000 requests a second";

/// Load before the first scenario.
pub(crate) const WARM_UP: Load = Load {
    connections: 64,
    pace: Pace::Closed,
    warm_up: Duration::ZERO,
    measured: Duration::from_secs(1),
};

/// All scenarios; a quick run is a third as long.
pub(crate) fn all(quick: bool) -> Vec<Scenario> {
    let load = |connections, pace, warm_up_ms, measured_ms: u64| Load {
        connections,
        pace,
        warm_up: Duration::from_millis(warm_up_ms),
        measured: Duration::from_millis(if quick { measured_ms / 3 } else { measured_ms }),
    };
    let scenario = |name, subjects, load| Scenario {
        name,
        subjects,
        load,
        delay: Duration::ZERO,
        with_commits: false,
    };
    vec![
        scenario(
            CONNECTIONS_64,
            &[Direct, Nginx, Gateway, Baseline, TwoCommits],
            load(64, Pace::Closed, 500, 4500),
        ),
        Scenario {
            with_commits: true,
            ..scenario(
                ONE_CONNECTION,
                &[Direct, Nginx, Gateway, Baseline, TwoCommits],
                load(1, Pace::Closed, 300, 2000),
            )
        },
        scenario(
            TELEMETRY,
            &[NoTelemetry, Gateway, FullTelemetry],
            load(64, Pace::Closed, 500, 4500),
        ),
        scenario(
            CONNECTIONS_256,
            &[Direct, Nginx, Gateway, Baseline],
            load(256, Pace::Closed, 500, 3000),
        ),
        Scenario {
            delay: Duration::from_millis(50),
            ..scenario(
                SLOW_UPSTREAM,
                &[Direct, Gateway, Baseline],
                load(256, Pace::Closed, 2000, 5000),
            )
        },
        scenario(
            CONSTANT_RATE,
            &[Direct, Nginx, Gateway, Baseline],
            load(256, Pace::Open(1000), 500, 3000),
        ),
    ]
}

/// Default number of rounds.
pub(crate) fn rounds(quick: bool) -> u32 {
    if quick { 2 } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_run_ends_within_eight_minutes() {
        let duration = |scenario: &Scenario| {
            let subjects = scenario.subjects.iter().filter(|subject| **subject != Baseline);
            let turns = u32::try_from(subjects.count()).unwrap() + u32::from(scenario.with_commits);
            (scenario.load.warm_up + scenario.load.measured) * turns * rounds(false)
        };
        let total: Duration = all(false).iter().map(duration).sum();
        assert!(total < Duration::from_mins(7), "{total:?} plus starts and stops");
    }
}
