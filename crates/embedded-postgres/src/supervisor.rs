//! Supervisor thread: starts the server, waits for its end, and restarts it until it is stopped. A second thread ends the
//! server when its programs were replaced.
//!
//! One thread for the whole lifetime, because the server ends with the thread that forked it. Only this thread reaps the
//! server, and holds the mutex of the signal senders while it does, so that no signal reaches a process with a reused id.
//! Called by `private_postgres`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::Cluster;
use crate::installed::Installed;
use crate::server::Server;
use crate::server_log::ServerLog;
use crate::{Error, stale_server};

/// Fast shutdown: disconnects clients and writes the buffers.
const FAST_STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Immediate shutdown: writes nothing; the next start recovers from the write-ahead log.
const IMMEDIATE_STOP_TIMEOUT: Duration = Duration::from_secs(10);

const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// Uptime that resets the backoff.
const STABLE_UPTIME: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    log: ServerLog,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// `None` if there is no process to signal: not started, or reaped.
    server: Option<Pid>,
    /// The programs of the server at its start.
    installed: Option<Installed>,
    /// The server was asked to end because its programs were replaced.
    replacing: bool,
    stopping: bool,
}

#[derive(Debug)]
enum Phase {
    /// The server has not accepted connections yet.
    Starting,
    /// It has, and may be restarting now.
    Running,
    /// The first start failed. `Supervisor::start` takes the error.
    Failed(Error),
    /// The thread has ended.
    Ended,
}

/// Why a server ended that had accepted connections.
enum End {
    Stopped,
    /// Its programs were replaced.
    Replaced,
    Died {
        status: String,
    },
}

impl Supervisor {
    /// Returns when the server accepts connections, at most after `timeout`.
    pub(crate) fn start(cluster: Cluster, timeout: Duration) -> Result<Self, Error> {
        let state = Mutex::new(State {
            phase: Phase::Starting,
            server: None,
            installed: None,
            replacing: false,
            stopping: false,
        });
        let shared = Arc::new(Shared {
            cluster,
            log: ServerLog::default(),
            state,
            changed: Condvar::new(),
        });
        let until = Instant::now() + timeout;
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("pg-supervisor".to_owned())
            .spawn(move || for_thread.supervise(until))
            .map_err(Error::Thread)?;
        let watcher = Arc::clone(&shared);
        thread::Builder::new()
            .name("pg-programs".to_owned())
            .spawn(move || watcher.watch_programs())
            .map_err(Error::Thread)?;
        // From here on, dropping the value stops the server.
        let supervisor = Self {
            shared,
            thread: Some(thread),
        };
        let mut state = supervisor
            .shared
            .wait(timeout, |phase| matches!(phase, Phase::Starting));
        match std::mem::replace(&mut state.phase, Phase::Starting) {
            Phase::Starting => {
                drop(state);
                Err(Error::StartTimeout {
                    waited: timeout,
                    log: supervisor.shared.log.tail(),
                })
            }
            Phase::Failed(error) => {
                state.phase = Phase::Ended;
                drop(state);
                Err(error)
            }
            running_or_ended => {
                state.phase = running_or_ended;
                drop(state);
                Ok(supervisor)
            }
        }
    }

    /// Stops the server and waits for its end. A second call does nothing.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.lock().stopping = true;
        for (signal, timeout) in [(Signal::INT, FAST_STOP_TIMEOUT), (Signal::QUIT, IMMEDIATE_STOP_TIMEOUT)] {
            self.shared.signal(signal);
            let state = self
                .shared
                .wait(timeout, |phase| matches!(phase, Phase::Starting | Phase::Running));
            if matches!(state.phase, Phase::Failed(_) | Phase::Ended) {
                drop(state);
                // The thread is about to return.
                let _ = thread.join();
                return Ok(());
            }
            tracing::warn!(?signal, waited_secs = timeout.as_secs(), "PostgreSQL does not stop");
        }
        Err(Error::StopTimeout {
            waited: FAST_STOP_TIMEOUT + IMMEDIATE_STOP_TIMEOUT,
        })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "PostgreSQL still runs");
        }
    }
}

impl Shared {
    /// The body of the thread. Retries a first start that fails for a transient reason `until` then.
    fn supervise(&self, until: Instant) {
        let mut failures = 0;
        while !self.lock().stopping {
            let started = Instant::now();
            match self.run_once() {
                Ok(End::Stopped) => break,
                Ok(End::Replaced) => {
                    tracing::info!("restarting PostgreSQL with its new programs");
                    continue;
                }
                Ok(End::Died { status }) => {
                    if started.elapsed() >= STABLE_UPTIME {
                        failures = 0;
                    }
                    tracing::error!(status, "PostgreSQL ended unexpectedly; restarting it");
                }
                Err(Error::StartFailed { log }) if stale_server::is_still_ending(&log) && self.may_retry(until) => {
                    tracing::debug!("child processes of a dead PostgreSQL server still exist; retrying");
                    self.pause(MIN_BACKOFF);
                    continue;
                }
                Err(error) if self.is_starting() => {
                    self.set(Phase::Failed(error));
                    return;
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "could not restart PostgreSQL");
                }
            }
            failures += 1;
            self.pause(backoff(failures));
        }
        self.set(Phase::Ended);
    }

    /// Starts one server and returns after its end.
    fn run_once(&self) -> Result<End, Error> {
        stale_server::stop_and_clean_up(&self.cluster)?;
        let Some(mut server) = self.launch()? else {
            return Ok(End::Stopped);
        };
        let mut gap = Duration::from_millis(10);
        while !self.cluster.accepts_connections() {
            if self.reap(&mut server).is_some() {
                server.wait_for_end_of_log();
                let stopping = self.lock().stopping;
                return if stopping {
                    Ok(End::Stopped)
                } else {
                    Err(Error::StartFailed { log: self.log.tail() })
                };
            }
            thread::sleep(gap);
            gap = (gap * 2).min(Duration::from_millis(160));
        }
        let pid = server.pid.as_raw_pid();
        if self.is_starting() {
            tracing::debug!(process.pid = pid, "PostgreSQL accepts connections");
            self.set(Phase::Running);
        } else {
            tracing::info!(process.pid = pid, "PostgreSQL accepts connections again");
        }
        let status = loop {
            server.wait_unreaped();
            if let Some(status) = self.reap(&mut server) {
                break status;
            }
        };
        let mut state = self.lock();
        let was_replaced = std::mem::take(&mut state.replacing);
        Ok(if state.stopping {
            End::Stopped
        } else if was_replaced {
            End::Replaced
        } else {
            End::Died { status }
        })
    }

    /// `None` if a stop was requested meanwhile. Under the mutex, so that `stop` finds either no server or its id.
    fn launch(&self) -> Result<Option<Server>, Error> {
        let mut state = self.lock();
        if state.stopping {
            return Ok(None);
        }
        // Before the start: programs that are replaced during it count as new.
        state.installed = Installed::in_folder(&self.cluster.programs);
        let server = Server::start(&self.cluster, &self.log)?;
        state.server = Some(server.pid);
        Ok(Some(server))
    }

    /// The body of the second thread. An upgrade replaces several files one after another, so the new ones must have been
    /// the same for one pause, and must run.
    fn watch_programs(&self) {
        let mut seen = None;
        loop {
            self.pause(self.cluster.watch_programs);
            let state = self.lock();
            if state.stopping || matches!(state.phase, Phase::Failed(_) | Phase::Ended) {
                return;
            }
            let (running, replacing) = (state.installed.clone(), state.replacing);
            drop(state);
            let now = Installed::in_folder(&self.cluster.programs);
            if replacing || now.is_none() || running.is_none() || now == running {
                seen = None;
            } else if seen != now {
                seen = now;
            } else if self.cluster.programs_fit() {
                tracing::warn!("the programs of PostgreSQL were replaced, as by a package upgrade");
                self.lock().replacing = true;
                // The fast, clean shutdown. Clients reconnect.
                self.signal(Signal::INT);
                seen = None;
            }
        }
    }

    /// `None` while the server runs.
    fn reap(&self, server: &mut Server) -> Option<String> {
        let mut state = self.lock();
        let ended = server.reap();
        if ended.is_some() {
            state.server = None;
        }
        ended
    }

    fn signal(&self, signal: Signal) {
        let state = self.lock();
        if let Some(pid) = state.server {
            let _ = kill_process(pid, signal);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Restarts are retried without a time limit.
    fn may_retry(&self, until: Instant) -> bool {
        !self.is_starting() || Instant::now() < until
    }

    fn is_starting(&self) -> bool {
        matches!(self.lock().phase, Phase::Starting)
    }

    fn set(&self, phase: Phase) {
        self.lock().phase = phase;
        self.changed.notify_all();
    }

    /// Waits at most `timeout` while `condition` holds.
    fn wait(&self, timeout: Duration, condition: impl Fn(&Phase) -> bool) -> MutexGuard<'_, State> {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |state| condition(&state.phase));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for `length`, or until a stop is requested.
    fn pause(&self, length: Duration) {
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), length, |state| !state.stopping);
    }

    /// No code that holds the mutex panics, so a poisoned state is valid.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 100 ms after the first failure, doubled after each further one, at most 30 s.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    MIN_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::{MAX_BACKOFF, MIN_BACKOFF, backoff};

    #[test]
    fn the_backoff_doubles_up_to_its_maximum() {
        assert_eq!(backoff(1), MIN_BACKOFF);
        assert_eq!(backoff(2), MIN_BACKOFF * 2);
        assert_eq!(backoff(u32::MAX), MAX_BACKOFF);
    }
}
