//! The gateways at which triggers are sent.

use crate::chaos::cluster::Plan;

/// The shortest lease, heartbeat and horizon that the settings allow, so that the scenarios take seconds.
const SETTINGS: [(&str, &str); 9] = [
    ("DBT_GATEWAY__TRIGGER__RESOLVE_SECS", "2"),
    ("DBT_GATEWAY__TRIGGER__HORIZON_SECS", "10"),
    ("DBT_GATEWAY__TRIGGER__MIN_PAUSE_MS", "50"),
    ("DBT_GATEWAY__TRIGGER__MAX_PAUSE_MS", "500"),
    ("DBT_GATEWAY__TRIGGER__LEASE_SECS", "3"),
    ("DBT_GATEWAY__INSTANCE__HEARTBEAT_SECS", "1"),
    ("DBT_GATEWAY__INSTANCE__DEAD_AFTER_SECS", "3"),
    // Most answers are lost on purpose, and more runs are started than an account may ask for.
    ("DBT_GATEWAY__BREAKER__MIN_EXCHANGES", "0"),
    ("DBT_GATEWAY__BUDGET__ADMIN_PER_MINUTE", "0"),
];
/// Their number.
pub(super) const GATEWAYS: usize = 2;

pub(super) fn plan() -> Plan {
    Plan {
        database: "chaos_of_triggers",
        gateways: GATEWAYS,
        settings: SETTINGS.map(|(name, value)| (name, value.to_owned())).to_vec(),
    }
}
