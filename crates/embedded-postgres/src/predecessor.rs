//! What a killed predecessor may have left running or lying about, cleared away before our own server starts. Called by
//! `keeper`, under the lock: whatever still runs on this data is therefore nobody's.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::cluster::Cluster;

/// A fast shutdown writes at most the shared buffers to disk.
const SHUTDOWN: Duration = Duration::from_mins(1);

/// Ends a server that outlived its process, and removes files that would keep ours from starting.
pub(crate) fn clear_the_way(cluster: &Cluster) -> Result<(), Error> {
    let pid_file = cluster.data.join("postmaster.pid");
    let until = Instant::now() + SHUTDOWN;
    let mut told = false;
    while let Some(pid) = recorded(&pid_file).filter(|&pid| is_server(cluster, pid)) {
        if !told {
            // It may be stopping already, then this changes nothing. SIGINT is the fast, clean shutdown.
            tracing::info!(
                process.pid = pid.as_raw_pid(),
                "stopping the PostgreSQL server of a process that was killed"
            );
            let _ = kill_process(pid, Signal::INT);
            told = true;
        }
        if Instant::now() >= until {
            return Err(Error::PredecessorStays {
                directory: cluster.data.clone(),
                pid: pid.as_raw_pid().unsigned_abs(),
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    remove_if_misleading(&pid_file)?;
    remove_if_misleading(&cluster.socket.join(".s.PGSQL.5432.lock"))
}

/// Whether this end of the log says that parts of a dead server are about to go: then it is worth trying again.
///
/// The processes of a killed server notice within moments, unless they are in the middle of a statement. Postgres itself
/// knows best whether one is left (it looks at the shared memory), and a process in a container may not even look.
pub(crate) fn still_leaving(log: &str) -> bool {
    log.contains("pre-existing shared memory block") || log.contains("lock file \"postmaster.pid\" already exists")
}

/// Postgres takes a lock file for valid when its process id is alive, whoever has that id now. In a container ids start
/// over, so after a crash the number in the file is easily that of one of our own threads. No server runs (we hold the
/// lock and have just looked), so the file is a remnant; the shared memory still guards the data.
fn remove_if_misleading(lock_file: &Path) -> Result<(), Error> {
    let Some(pid) = recorded(lock_file) else { return Ok(()) };
    if rustix::process::test_kill_process(pid).is_err() {
        return Ok(()); // Postgres sees through this one.
    }
    tracing::debug!(path = %lock_file.display(), "removing a lock file whose process id now belongs to another process");
    fs::remove_file(lock_file).map_err(Error::file("remove", lock_file))
}

/// The process id on the first line of one of Postgres's lock files.
fn recorded(lock_file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(lock_file).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Whether this process is a server on our data. Its arguments are readable by everybody, unlike its working directory.
#[cfg(target_os = "linux")]
fn is_server(cluster: &Cluster, pid: Pid) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let arguments = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
    let arguments: Vec<&[u8]> = arguments.split(|&byte| byte == 0).collect();
    let data = cluster.data.as_os_str().as_bytes();
    arguments.first().is_some_and(|program| program.ends_with(b"postgres"))
        && arguments.windows(2).any(|pair| pair[0] == b"-D" && pair[1] == data)
}

/// Without `/proc`: a server that answers on our private socket can only be the one that wrote the file.
#[cfg(not(target_os = "linux"))]
fn is_server(cluster: &Cluster, _: Pid) -> bool {
    cluster.answers()
}
