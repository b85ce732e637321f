//! What is measured: how much load, for how long, on whom.

use std::time::Duration;

use crate::contestants::Contestant::{self, Direct, Gateway, Nginx, TwoCommits, Unwatched, Watched};
use crate::load::{Load, Pace};

/// One kind of load, and who takes turns under it.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) contestants: &'static [Contestant],
    pub(crate) load: Load,
    /// How long each answer of the upstream takes.
    pub(crate) delay: Duration,
    /// Whether `pgbench` takes a turn in each round.
    pub(crate) with_commits: bool,
}

pub(crate) const ALONE: &str = "1 connection";
pub(crate) const BUSY: &str = "64 connections";
pub(crate) const CROWD: &str = "256 connections";
pub(crate) const SLOW: &str = "256 connections, upstream takes 50 ms";
pub(crate) const WATCHED: &str = "64 connections, watched";
pub(crate) const OPEN: &str = "1,000 requests a second";

/// Every contestant warms up under this.
pub(crate) const WARM_UP: Load = Load {
    connections: 64,
    pace: Pace::Closed,
    warm_up: Duration::ZERO,
    measured: Duration::from_secs(1),
};

/// All of them, at the length of a published run or of a quick look.
pub(crate) fn all(quick: bool) -> Vec<Scene> {
    let load = |connections, pace, warm_up_ms, measured_ms: u64| Load {
        connections,
        pace,
        warm_up: Duration::from_millis(warm_up_ms),
        measured: Duration::from_millis(if quick { measured_ms / 3 } else { measured_ms }),
    };
    let scene = |name, contestants, load| Scene {
        name,
        contestants,
        load,
        delay: Duration::ZERO,
        with_commits: false,
    };
    vec![
        scene(
            BUSY,
            &[Direct, Nginx, Gateway, TwoCommits],
            load(64, Pace::Closed, 500, 4500),
        ),
        Scene {
            with_commits: true,
            ..scene(
                ALONE,
                &[Direct, Nginx, Gateway, TwoCommits],
                load(1, Pace::Closed, 300, 2000),
            )
        },
        scene(
            WATCHED,
            &[Unwatched, Gateway, Watched],
            load(64, Pace::Closed, 500, 4500),
        ),
        scene(CROWD, &[Direct, Nginx, Gateway], load(256, Pace::Closed, 500, 3000)),
        Scene {
            delay: Duration::from_millis(50),
            ..scene(SLOW, &[Direct, Gateway], load(256, Pace::Closed, 2000, 5000))
        },
        scene(OPEN, &[Direct, Nginx, Gateway], load(256, Pace::Open(1000), 500, 3000)),
    ]
}

/// How many rounds a median is taken over.
pub(crate) fn rounds(quick: bool) -> u32 {
    if quick { 2 } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_run_ends_within_eight_minutes() {
        let of = |scene: &Scene| {
            let turns = u32::try_from(scene.contestants.len()).unwrap() + u32::from(scene.with_commits);
            (scene.load.warm_up + scene.load.measured) * turns * rounds(false)
        };
        let whole: Duration = all(false).iter().map(of).sum();
        assert!(whole < Duration::from_mins(7), "{whole:?} and the starts and stops");
    }
}
