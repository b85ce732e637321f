//! The limit of open files. Each connection is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Postgres, standard streams, the runtime.
const OTHER_FILES: u64 = 100;

/// Raises the soft limit, usually 1024, to the hard limit. Warns if that is too low for `max_connections` callers, each of
/// which may need a connection to dbt Cloud.
pub(crate) fn raise_limit(max_connections: usize) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let wanted = max_connections as u64 * 2 + OTHER_FILES;
    if let Some(allowed) = maximum.filter(|allowed| *allowed < wanted) {
        tracing::warn!(
            allowed,
            wanted,
            "the system's limit of open files is too low for limits.max_connections"
        );
    }
}
