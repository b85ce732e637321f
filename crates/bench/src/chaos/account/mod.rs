//! One account of dbt Cloud with many callers, with several replicas, and in an outage: how much reaches dbt Cloud, by the
//! simulator's own count, and what the callers get. Budget, shared reads and circuits are on.

mod cached;
mod callers;
mod outage;
mod polling;
mod replicas;
mod shown;

use std::path::Path;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use self::shown::Shown;

/// One scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Measures with that gateway binary and Postgres, in the short form or the long one.
    pub(super) measure: for<'a> fn(&'a Path, &'a str, bool) -> LocalBoxFuture<'a, anyhow::Result<Shown>>,
}

/// Every scenario, in the order of the report.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "shared polling",
        measure: |program, postgres, is_short| polling::measure(program, postgres, is_short).boxed_local(),
    },
    Scenario {
        name: "budget of three replicas",
        measure: |program, postgres, is_short| replicas::measure(program, postgres, is_short).boxed_local(),
    },
    Scenario {
        name: "outage",
        measure: |program, postgres, is_short| outage::measure(program, postgres, is_short).boxed_local(),
    },
    Scenario {
        name: "kept answers",
        measure: |program, postgres, is_short| cached::measure(program, postgres, is_short).boxed_local(),
    },
];
