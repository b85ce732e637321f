//! dbt Cloud over TLS and HTTP/2, as in production: closing connections, refused and stalled streams, slow readers.

mod dead_connections;
mod not_processed;
mod slow_readers;

use std::time::Duration;

use simulator::{Config, RateLimit, acme};

use crate::support::{Setup, TestApp};

/// Only against a test that hangs.
const LONG: Duration = Duration::from_mins(1);

/// A gateway whose upstream speaks HTTP/2.
fn setup() -> Setup {
    let simulator = Config {
        rate_limit: RateLimit::OFF,
        ..Config::frozen().with_tls()
    };
    Setup {
        simulator,
        ..Setup::default()
    }
}

fn trigger() -> String {
    format!("/jobs/{}/runs", acme::NIGHTLY_JOB_ID)
}

/// The number of triggers that the simulator has received.
fn triggers(app: &TestApp) -> usize {
    app.dbt.requests_to("POST", "/api/v2/").len()
}
