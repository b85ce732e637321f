//! Log lines are written to standard error by a thread, so that a request never waits for their reader.

use std::io::{self, BufWriter, Write};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// The pause after each write. Lines logged meanwhile are written together: one system call costs more than one line.
const WRITE_PAUSE: Duration = Duration::from_millis(10);
/// Lines queued; further ones are dropped and counted.
const MAX_LINES: usize = 8192;

/// Starts the thread. The guard, dropped, waits at most about a second for the queued lines.
pub(super) fn start(out: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_LINES)
        .finish(PausingWriter(BufWriter::with_capacity(32 << 10, out)))
}

/// Pauses after each flush; `NonBlocking` flushes when its queue is empty.
struct PausingWriter<W: Write>(BufWriter<W>);

impl<W: Write> Write for PausingWriter<W> {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
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
        let (mut log, guard) = start(Writes(sender));
        let lines: Vec<_> = (0..100).map(|number| format!("{number}\n")).collect();
        for line in &lines {
            log.write_all(line.as_bytes()).unwrap();
        }
        drop(guard);
        let writes: Vec<_> = writes.try_iter().collect();
        assert_eq!(writes.concat(), lines.concat());
        assert!(writes.len() < 50, "{writes:?}");
    }

    #[test]
    fn a_line_is_written_without_further_ones() {
        let (sender, writes) = mpsc::sync_channel(1);
        let (mut log, _guard) = start(Writes(sender));
        log.write_all(b"one\n").unwrap();
        assert_eq!(writes.recv().unwrap(), "one\n");
    }

    #[test]
    fn a_stalled_reader_blocks_no_line_and_dropped_lines_are_counted() {
        // Accepts nothing until it is read.
        let (sender, writes) = mpsc::sync_channel(0);
        let (mut log, guard) = start(Writes(sender));
        let line = [b'x'; 1024];
        for _ in 0..2 * MAX_LINES {
            log.write_all(&line).unwrap();
        }
        assert!(log.error_counter().dropped_lines() > 0);
        drop(writes);
        drop(guard);
    }
}
