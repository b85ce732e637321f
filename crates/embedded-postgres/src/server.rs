//! One server process. Created by `supervisor`, whose thread must outlive it.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Error;
use crate::cluster::Cluster;
use crate::server_log::ServerLog;

/// For the last log lines of an ended server.
const LOG_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) pid: Pid,
    child: Child,
    log_ended: Receiver<()>,
}

impl Server {
    /// Starts the server as a child of the calling *thread*; the server ends with that thread.
    pub(crate) fn start(cluster: &Cluster, log: &ServerLog) -> Result<Self, Error> {
        let mut command = cluster.server_command();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        end_with_parent(&mut command);
        let mut child = command
            .spawn()
            .map_err(Error::run(&cluster.programs.join("postgres")))?;
        log.clear();
        let stderr = child.stderr.take().expect("standard error is piped");
        match log.follow(stderr) {
            Ok(log_ended) => Ok(Self {
                pid: Pid::from_child(&child),
                child,
                log_ended,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Blocks until the process has ended, without reaping it: until [`Server::reap`] its id is not reused, so a signal
    /// cannot hit another process.
    pub(crate) fn wait_unreaped(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.pid), options) {}
    }

    /// Reaps the process if it has ended and returns its exit status as text; `None` while it runs.
    pub(crate) fn reap(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            // Other code in this process has reaped it.
            Err(error) => Some(error.to_string()),
        }
    }

    /// Waits until the log of an ended server is read completely, at most [`LOG_TIMEOUT`].
    pub(crate) fn wait_for_end_of_log(&self) {
        let _ = self.log_ended.recv_timeout(LOG_TIMEOUT);
    }
}

/// The kernel sends the server SIGINT (fast, clean shutdown) when its parent ends, also after SIGKILL.
///
/// The signal is bound to the forking thread, not to the process. Changing the user clears it; `std` runs the closure after
/// changing the user.
#[cfg(target_os = "linux")]
fn end_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let parent = rustix::process::getpid();
    let in_the_child = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT))?;
        // If the parent died before the line above, the signal is never sent.
        if rustix::process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    };
    #[expect(
        unsafe_code,
        reason = "std has no safe way to set the parent death signal; see the SAFETY comment"
    )]
    // SAFETY: between fork and exec the closure only makes two system calls; nothing allocates, locks or panics.
    unsafe {
        command.pre_exec(in_the_child);
    }
}

/// Other systems lack this signal: there the next start stops the stale server.
#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &mut Command) {}
