//! SIGTERM and SIGINT, which end the process, and SIGHUP, on which it reads files again.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// The signal that ends the process immediately.
const LAST: usize = 3;
/// The exit status after [`LAST`].
const ENDED_BY_SIGNAL: i32 = 1;
/// Time for the log's thread to write the last line.
const LAST_LINE: Duration = Duration::from_millis(100);

/// When each of the signals arrived. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    /// Those that end the process.
    ending: watch::Receiver<Vec<Instant>>,
    /// The number of SIGHUP.
    hangups: watch::Receiver<u64>,
}

impl Signals {
    /// Replaces the default actions. The third one that ends the process does so at once, even while its runtime is blocked: a
    /// thread of its own waits for them.
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (mut terminate, mut interrupt, mut hangup) = {
            let _context = runtime.enter();
            (
                signal(SignalKind::terminate())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::hangup())?,
            )
        };
        let (arrived, ending) = watch::channel(Vec::new());
        let (hung_up, hangups) = watch::channel(0);
        let waiting = async move {
            let mut number = 0;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {
                        hung_up.send_modify(|count| *count += 1);
                        continue;
                    }
                }
                number += 1;
                if number == LAST {
                    tracing::error!("the third signal: the process ends immediately");
                    thread::sleep(LAST_LINE);
                    process::exit(ENDED_BY_SIGNAL);
                }
                arrived.send_modify(|times| times.push(Instant::now()));
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(waiting))?;
        Ok(Self { ending, hangups })
    }

    /// Counts SIGHUP.
    pub(crate) fn hangups(&self) -> watch::Receiver<u64> {
        self.hangups.clone()
    }

    /// Waits for that signal, from 1, and returns when it arrived.
    pub(crate) async fn wait_for(&self, number: usize) -> Instant {
        let mut signals = self.ending.clone();
        let arrived = signals.wait_for(|times| times.len() >= number).await;
        match arrived.map(|times| times.get(number - 1).copied()) {
            Ok(Some(time)) => time,
            // The thread never ends before the process.
            _ => std::future::pending().await,
        }
    }

    /// When that signal arrived, from 1; `None`: not yet.
    pub(crate) fn time_of(&self, number: usize) -> Option<Instant> {
        self.ending.borrow().get(number - 1).copied()
    }
}
