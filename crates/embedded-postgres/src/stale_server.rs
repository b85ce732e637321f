//! Stops the server of a killed process and removes its lock files before a new server starts. Called by `supervisor` under
//! the lock, so no live process owns what is found here.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::cluster::Cluster;

/// A fast shutdown writes at most the shared buffers to disk.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// Stops a server that outlived its process, and removes lock files that would prevent a start.
pub(crate) fn stop_and_clean_up(cluster: &Cluster) -> Result<(), Error> {
    let pid_file = cluster.data.join("postmaster.pid");
    let until = Instant::now() + STOP_TIMEOUT;
    let mut signalled = false;
    while let Some(pid) = read_pid(&pid_file).filter(|&pid| is_server(cluster, pid)) {
        if !signalled {
            tracing::info!(
                process.pid = pid.as_raw_pid(),
                "stopping the PostgreSQL server of a process that was killed"
            );
            // SIGINT is the fast, clean shutdown. It has no effect on a server that is already stopping.
            let _ = kill_process(pid, Signal::INT);
            signalled = true;
        }
        if Instant::now() >= until {
            return Err(Error::StaleServer {
                directory: cluster.data.clone(),
                pid: pid.as_raw_pid().unsigned_abs(),
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    remove_stale_lock(&pid_file)?;
    remove_stale_lock(&cluster.socket.join(".s.PGSQL.5432.lock"))
}

/// Whether this end of the log says that child processes of a dead server still exist, so that a retry may succeed.
///
/// They end within moments, unless they are executing a statement. Only Postgres can detect them reliably (by their shared
/// memory); a process in a container may not see them.
pub(crate) fn is_still_ending(log: &str) -> bool {
    log.contains("pre-existing shared memory block") || log.contains("lock file \"postmaster.pid\" already exists")
}

/// Removes a lock file whose process id is in use by an unrelated process.
///
/// Postgres considers a lock file valid if any process has its id. In a container ids start again at 1, so after a crash the
/// id often belongs to another process. No server runs, since the caller holds the lock and has checked; the shared memory
/// still protects the data.
fn remove_stale_lock(lock_file: &Path) -> Result<(), Error> {
    let Some(pid) = read_pid(lock_file) else { return Ok(()) };
    if rustix::process::test_kill_process(pid).is_err() {
        return Ok(()); // Postgres detects this stale lock itself.
    }
    tracing::debug!(path = %lock_file.display(), "removing a lock file whose process id belongs to another process");
    fs::remove_file(lock_file).map_err(Error::file("remove", lock_file))
}

/// The process id on the first line of a lock file.
fn read_pid(lock_file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(lock_file).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Whether the process is a server on this data directory. Every user may read the arguments of a process, but not its
/// working directory.
#[cfg(target_os = "linux")]
fn is_server(cluster: &Cluster, pid: Pid) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
    let arguments: Vec<&[u8]> = arguments.split(|&byte| byte == 0).collect();
    let data = cluster.data.as_os_str().as_bytes();
    arguments.first().is_some_and(|program| program.ends_with(b"postgres"))
        && arguments.windows(2).any(|pair| pair[0] == b"-D" && pair[1] == data)
}

/// Without `/proc`: a server on the private socket can only be the one that wrote the file.
#[cfg(not(target_os = "linux"))]
fn is_server(cluster: &Cluster, _: Pid) -> bool {
    cluster.accepts_connections()
}
