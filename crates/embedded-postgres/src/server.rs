//! One server process, from its start to its end. Made by `keeper`, whose thread has to outlive it.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Error;
use crate::cluster::Cluster;
use crate::server_log::ServerLog;

/// How long the last lines of an ended server may take to reach us.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) pid: Pid,
    child: Child,
    log_ended: Receiver<()>,
}

impl Server {
    /// Starts the server as a child of the calling *thread*, with whose end the server ends.
    pub(crate) fn start(cluster: &Cluster, log: &ServerLog) -> Result<Self, Error> {
        let mut command = cluster.server_command();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        end_with_us(&mut command);
        let mut child = command
            .spawn()
            .map_err(Error::run(&cluster.programs.join("postgres")))?;
        log.clear();
        let stderr = child.stderr.take().expect("standard error is piped three lines above");
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

    /// Blocks until the process has ended, and leaves it unreaped: until [`Server::reap`] its id belongs to nobody else,
    /// and a signal to it cannot hit another process.
    pub(crate) fn wait_unreaped(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.pid), options) {}
    }

    /// Collects the process if it has ended, and says how it did; `None` while it runs.
    pub(crate) fn reap(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            // Somebody else in this process has collected it.
            Err(error) => Some(error.to_string()),
        }
    }

    /// Waits, for a bounded time, until the log of an ended server has been read to its end.
    pub(crate) fn wait_for_last_words(&self) {
        let _ = self.log_ended.recv_timeout(LAST_WORDS);
    }
}

/// Has the system tell the server to shut down (SIGINT: fast and clean) when we end, be it by SIGKILL.
///
/// The signal belongs to the forking thread, not to the process, and changing users clears it; the closure runs after
/// `std` has changed users.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let us = rustix::process::getpid();
    let in_the_child = move || {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT))?;
        // We may have died between the fork and the line above, and nobody would tell the child any more.
        if rustix::process::getppid() == Some(us) {
            Ok(())
        } else {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    };
    #[expect(
        unsafe_code,
        reason = "std has no safe way to ask for the death signal; see the SAFETY comment"
    )]
    // SAFETY: between fork and exec only two system calls are made; nothing allocates, locks or panics.
    unsafe {
        command.pre_exec(in_the_child);
    }
}

/// Other systems have no such signal: there the next start ends the server that was left behind.
#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command) {}
