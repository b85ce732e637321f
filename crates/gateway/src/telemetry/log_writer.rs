//! Log lines are written to standard error by a thread, so that a request never waits for their reader. Secrets in them are
//! replaced.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// The pause after each write. Lines logged meanwhile are written together: one system call costs more than one line.
const WRITE_PAUSE: Duration = Duration::from_millis(10);
/// Lines queued; further ones are dropped and counted.
const MAX_LINES: usize = 8192;
/// Lines queued beyond which only warnings and errors are: they are few, and a person needs them.
const MAX_INFO_LINES: usize = MAX_LINES / 4 * 3;

/// The count of the process, once its log is started.
static PROCESS: OnceLock<Arc<Count>> = OnceLock::new();

/// The log lines of this process that were dropped, because the reader of standard error was too slow.
pub(crate) fn dropped_lines() -> u64 {
    PROCESS.get().map_or(0, |count| count.dropped.load(Ordering::Relaxed))
}

/// Starts the thread for the process.
pub(super) fn start_for_process(out: impl Write + Send + 'static) -> (Lines, WorkerGuard) {
    let (lines, guard) = start(out);
    // Set already only in tests.
    let _ = PROCESS.set(Arc::clone(&lines.count));
    (lines, guard)
}

/// Starts the thread. The guard, dropped, waits at most about a second for the queued lines.
fn start(out: impl Write + Send + 'static) -> (Lines, WorkerGuard) {
    let count = Arc::<Count>::default();
    let writer = PausingWriter {
        out: BufWriter::with_capacity(32 << 10, out),
        count: Arc::clone(&count),
    };
    let (queue, guard) = NonBlockingBuilder::default()
        // Room for the writers that pass the check below at the same time, and for the message of the guard.
        .buffered_lines_limit(MAX_LINES + 1024)
        .finish(writer);
    (Lines { queue, count }, guard)
}

#[derive(Debug, Default)]
struct Count {
    queued: AtomicUsize,
    dropped: AtomicU64,
}

/// Makes a writer for each line.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    queue: NonBlocking,
    count: Arc<Count>,
}

impl Lines {
    fn line(&self, max_queued: usize) -> Line<'_> {
        Line {
            lines: self,
            max_queued,
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        self.line(MAX_LINES)
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line<'a> {
        self.line(if *of.level() <= Level::WARN {
            MAX_LINES
        } else {
            MAX_INFO_LINES
        })
    }
}

/// Queues a line, or drops it if too many are queued. Never waits.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    max_queued: usize,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Lines { queue, count } = self.lines;
        if count.queued.fetch_add(1, Ordering::Relaxed) < self.max_queued {
            let mut queue = queue.clone();
            return match str::from_utf8(line).map(redaction::text) {
                Ok(Cow::Owned(clean)) => queue.write_all(clean.as_bytes()).map(|()| line.len()),
                Ok(Cow::Borrowed(_)) | Err(_) => queue.write(line),
            };
        }
        count.queued.fetch_sub(1, Ordering::Relaxed);
        count.dropped.fetch_add(1, Ordering::Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Pauses after each flush; `NonBlocking` flushes when its queue is empty.
struct PausingWriter<W: Write> {
    out: BufWriter<W>,
    count: Arc<Count>,
}

impl<W: Write> Write for PausingWriter<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.out.write(lines)
    }

    /// A queued line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.out.write_all(line);
        self.count.queued.fetch_sub(1, Ordering::Relaxed);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        thread::sleep(WRITE_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Sends the bytes of each write.
    struct Writes(mpsc::SyncSender<String>);

    impl Write for Writes {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(lines).into_owned());
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_keep_their_order_and_are_written_together() {
        let (sender, writes) = mpsc::sync_channel(100);
        let (log, guard) = start(Writes(sender));
        let lines: Vec<_> = (0..100).map(|number| format!("{number}\n")).collect();
        for line in &lines {
            log.make_writer().write_all(line.as_bytes()).unwrap();
        }
        drop(guard);
        let writes: Vec<_> = writes.try_iter().collect();
        assert_eq!(writes.concat(), lines.concat());
        assert!(writes.len() < 50, "{writes:?}");
    }

    #[test]
    fn a_line_is_written_without_further_ones() {
        let (sender, writes) = mpsc::sync_channel(1);
        let (log, _guard) = start(Writes(sender));
        log.make_writer().write_all(b"one\n").unwrap();
        assert_eq!(writes.recv().unwrap(), "one\n");
    }

    #[test]
    fn a_stalled_reader_blocks_no_line_and_of_the_dropped_ones_the_unimportant_are_first() {
        // Accepts nothing until it is read.
        let (sender, writes) = mpsc::sync_channel(0);
        let (log, guard) = start(Writes(sender));
        let dropped = || log.count.dropped.load(Ordering::Relaxed);
        let line = [b'x'; 1024];
        for _ in 0..2 * MAX_LINES {
            log.line(MAX_INFO_LINES).write_all(&line).unwrap();
        }
        let dropped_infos = dropped();
        assert!(dropped_infos > 0);
        // There is still room for these.
        for _ in 0..(MAX_LINES - MAX_INFO_LINES) / 2 {
            log.line(MAX_LINES).write_all(&line).unwrap();
        }
        assert_eq!(dropped(), dropped_infos);
        for _ in 0..MAX_LINES {
            log.line(MAX_LINES).write_all(&line).unwrap();
        }
        assert!(dropped() > dropped_infos);

        // Once the lines are read there is room again.
        let reader = thread::spawn(move || writes.iter().map(|text| text.len()).sum::<usize>());
        while log.count.queued.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        let before = dropped();
        log.line(MAX_INFO_LINES).write_all(b"again\n").unwrap();
        assert_eq!(dropped(), before);
        drop((log, guard));
        reader.join().unwrap();
    }
}
