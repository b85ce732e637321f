//! Log lines on their way to standard error: many leave with one call, since a call for each costs more than the line.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others. Warnings and errors wait for nothing.
const DELAY: Duration = Duration::from_millis(100);
/// So much waits at most; then whoever logs waits for its reader.
const MAX_BYTES: usize = 32 << 10;

/// Where lines are written to. Cheap to clone.
#[derive(Debug)]
pub(super) struct Lines<W>(Arc<Shared<W>>);

#[derive(Debug)]
struct Shared<W> {
    waiting: Mutex<Vec<u8>>,
    came: Condvar,
    /// With room for the next lines. Locked before `waiting`, so that lines leave in their order.
    out: Mutex<(W, Vec<u8>)>,
}

impl<W> Clone for Lines<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Write + Send + 'static> Lines<W> {
    pub(super) fn to(out: W) -> Self {
        let lines = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            came: Condvar::new(),
            out: Mutex::new((out, Vec::new())),
        }));
        // Ends with the last of those who write lines.
        let shared = Arc::downgrade(&lines.0);
        thread::spawn(move || {
            while let Some(shared) = shared.upgrade() {
                let waiting = locked(&shared.waiting);
                let (waiting, _) = shared
                    .came
                    .wait_timeout_while(waiting, Duration::from_secs(1), |waiting| waiting.is_empty())
                    .unwrap_or_else(PoisonError::into_inner);
                if !waiting.is_empty() {
                    drop(waiting);
                    thread::sleep(DELAY);
                    Self(shared).leave();
                }
            }
        });
        lines
    }

    /// Writes what waits.
    pub(super) fn leave(&self) {
        let mut out = locked(&self.0.out);
        let (out, lines) = &mut *out;
        std::mem::swap(lines, &mut *locked(&self.0.waiting));
        // There is nobody to tell.
        let _ = out.write_all(lines).and_then(|()| out.flush());
        lines.clear();
    }

    fn add(&self, line: &[u8], is_urgent: bool) {
        let mut waiting = locked(&self.0.waiting);
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_full = waiting.len() >= MAX_BYTES;
        drop(waiting);
        if is_urgent || is_full {
            self.leave();
        } else if is_first {
            self.0.came.notify_one();
        }
    }
}

/// One line, whole.
pub(super) struct Line<'a, W> {
    lines: &'a Lines<W>,
    is_urgent: bool,
}

impl<W: Write + Send + 'static> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.is_urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: Write + Send + 'static> MakeWriter<'a> for Lines<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            lines: self,
            is_urgent: true,
        }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self::Writer {
        Line {
            lines: self,
            is_urgent: *about.level() <= Level::WARN,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells of each call.
    struct Calls(mpsc::Sender<String>);

    impl Write for Calls {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(lines).into_owned()).unwrap();
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_leave_together_in_their_order_and_by_themselves() {
        let (sender, calls) = mpsc::channel();
        let lines = Lines::to(Calls(sender));
        lines.add(b"one\n", false);
        lines.add(b"two\n", false);
        assert_eq!(calls.recv().unwrap(), "one\ntwo\n");
    }

    #[test]
    fn an_error_waits_for_nothing_and_takes_along_what_came_before() {
        let (sender, calls) = mpsc::channel();
        let lines = Lines::to(Calls(sender));
        lines.add(b"one\n", false);
        lines.add(b"error\n", true);
        assert_eq!(calls.try_recv().unwrap(), "one\nerror\n");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (sender, calls) = mpsc::channel();
        let lines = Lines::to(Calls(sender));
        lines.add(&vec![b'x'; MAX_BYTES - 1], false);
        lines.add(b"\n", false);
        assert_eq!(calls.try_recv().unwrap().len(), MAX_BYTES);
    }
}
