//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Postgres, standard streams, what the runtime needs.
const OTHERS: u64 = 100;

/// Raises the limit as far as the system lets us: the usual 1024 spares programs that cannot count further. Says so where
/// that is too few for so many callers, each of whom may need a connection to dbt Cloud.
pub(crate) fn allow_for(max_connections: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted = max_connections as u64 * 2 + OTHERS;
    if let Some(allowed) = maximum.filter(|most| *most < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "limits.max_connections is more than the system's limit of open files allows"
        );
    }
}
