//! The thread that keeps the server running: starts it, waits for its end, and starts it again unless we are stopping.
//!
//! One thread for the whole time, since the server ends with the thread that forked it. The same thread alone reaps the
//! server, and does so under the lock under which others send it signals, so that no signal reaches a process that has
//! inherited the id. Called by `private_postgres`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::Cluster;
use crate::server::Server;
use crate::server_log::ServerLog;
use crate::{Error, predecessor};

/// A fast shutdown: clients are disconnected, and what is in memory is written.
const FAST: Duration = Duration::from_secs(30);
/// An immediate one: nothing is written, and the next start recovers from the log of changes.
const IMMEDIATE: Duration = Duration::from_secs(10);

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A server that ran this long starts with a clean slate when it dies.
const STEADY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct Keeper {
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
    /// Set while the process exists or is not reaped yet.
    server: Option<Pid>,
    stopping: bool,
}

#[derive(Debug)]
enum Phase {
    /// Until the server answered for the first time.
    Starting,
    /// From then on, also while it is being brought back.
    Kept,
    /// It never came up. Taken by `Keeper::start`.
    Failed(Error),
    /// The thread has done its work.
    Ended,
}

/// How a server that had come up ended.
enum End {
    AskedFor,
    Died { status: String },
}

impl Keeper {
    /// Starts the server and returns when it answers; gives up after `patience`.
    pub(crate) fn start(cluster: Cluster, patience: Duration) -> Result<Self, Error> {
        let state = Mutex::new(State {
            phase: Phase::Starting,
            server: None,
            stopping: false,
        });
        let shared = Arc::new(Shared {
            cluster,
            log: ServerLog::default(),
            state,
            changed: Condvar::new(),
        });
        let until = Instant::now() + patience;
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || for_thread.keep(until))
            .map_err(Error::Thread)?;
        // From here on dropping the keeper stops the server.
        let keeper = Self {
            shared,
            thread: Some(thread),
        };
        let mut state = keeper.shared.wait(patience, |phase| matches!(phase, Phase::Starting));
        match std::mem::replace(&mut state.phase, Phase::Starting) {
            Phase::Starting => {
                drop(state);
                Err(Error::TookTooLong {
                    waited: patience,
                    log: keeper.shared.log.tail(),
                })
            }
            Phase::Failed(error) => {
                state.phase = Phase::Ended;
                drop(state);
                Err(error)
            }
            kept_or_ended => {
                state.phase = kept_or_ended;
                drop(state);
                Ok(keeper)
            }
        }
    }

    /// Stops the server and waits until it is gone. A second call does nothing.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        self.shared.lock().stopping = true;
        for (signal, wait) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
            self.shared.signal(signal);
            let state = self
                .shared
                .wait(wait, |phase| matches!(phase, Phase::Starting | Phase::Kept));
            if matches!(state.phase, Phase::Failed(_) | Phase::Ended) {
                drop(state);
                // It has nothing left to do but return.
                let _ = thread.join();
                return Ok(());
            }
            tracing::warn!(?signal, waited_secs = wait.as_secs(), "PostgreSQL does not stop");
        }
        Err(Error::DidNotStop {
            waited: FAST + IMMEDIATE,
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "PostgreSQL was left running");
        }
    }
}

impl Shared {
    /// The life of the thread. `until`: how long a first start that fails for a passing reason is tried again.
    fn keep(&self, until: Instant) {
        let mut failures = 0;
        while !self.lock().stopping {
            let begun = Instant::now();
            match self.run_once() {
                Ok(End::AskedFor) => break,
                Ok(End::Died { status }) => {
                    if begun.elapsed() >= STEADY {
                        failures = 0;
                    }
                    tracing::error!(status, "PostgreSQL ended although nobody stopped it; starting it again");
                }
                Err(Error::DidNotComeUp { log }) if predecessor::still_leaving(&log) && self.may_retry(until) => {
                    tracing::debug!("processes of a server that died are still leaving");
                    self.pause(SHORTEST_PAUSE);
                    continue;
                }
                Err(error) if self.is_starting() => {
                    self.set(Phase::Failed(error));
                    return;
                }
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "PostgreSQL could not be started again"
                    );
                }
            }
            failures += 1;
            self.pause(pause_after(failures));
        }
        self.set(Phase::Ended);
    }

    /// From the start of one server to its end.
    fn run_once(&self) -> Result<End, Error> {
        predecessor::clear_the_way(&self.cluster)?;
        let Some(mut server) = self.launch()? else {
            return Ok(End::AskedFor);
        };
        let mut gap = Duration::from_millis(10);
        while !self.cluster.answers() {
            if self.reap(&mut server).is_some() {
                server.wait_for_last_words();
                let stopping = self.lock().stopping;
                return if stopping {
                    Ok(End::AskedFor)
                } else {
                    Err(Error::DidNotComeUp { log: self.log.tail() })
                };
            }
            thread::sleep(gap);
            gap = (gap * 2).min(Duration::from_millis(160));
        }
        let pid = server.pid.as_raw_pid();
        if self.is_starting() {
            tracing::debug!(process.pid = pid, "PostgreSQL takes connections");
            self.set(Phase::Kept);
        } else {
            tracing::info!(process.pid = pid, "PostgreSQL is back");
        }
        let status = loop {
            server.wait_unreaped();
            if let Some(status) = self.reap(&mut server) {
                break status;
            }
        };
        Ok(if self.lock().stopping {
            End::AskedFor
        } else {
            End::Died { status }
        })
    }

    /// `None` when we were told to stop in the meantime: whoever stops finds either no server or its id.
    fn launch(&self) -> Result<Option<Server>, Error> {
        let mut state = self.lock();
        if state.stopping {
            return Ok(None);
        }
        let server = Server::start(&self.cluster, &self.log)?;
        state.server = Some(server.pid);
        Ok(Some(server))
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

    /// After the first start there is no hurry to give up.
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

    /// Waits for at most `limit` while the phase is as described.
    fn wait(&self, limit: Duration, is: impl Fn(&Phase) -> bool) -> MutexGuard<'_, State> {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), limit, |state| is(&state.phase));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits for `length`, or until we are told to stop.
    fn pause(&self, length: Duration) {
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), length, |state| !state.stopping);
    }

    /// No code that holds the lock panics, so a poisoned state is still a valid one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 100 ms after the first failure, twice as long after each further one, at most 30 s.
fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    SHORTEST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PAUSE, SHORTEST_PAUSE, pause_after};

    #[test]
    fn a_server_that_keeps_dying_is_started_ever_more_rarely() {
        assert_eq!(pause_after(1), SHORTEST_PAUSE);
        assert_eq!(pause_after(2), SHORTEST_PAUSE * 2);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
