//! What the server says: passed on line by line as `tracing` events at debug level, with the last lines kept for error
//! messages. There is no log file, hence none that grows. Called by `server` and `keeper`.

use std::collections::VecDeque;
use std::io::Read;
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Error;

const LINES_KEPT: usize = 12;
const LONGEST_LINE: usize = 400;

/// The end of the log, over all servers of one keeper.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerLog {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl ServerLog {
    /// Reads until the server and its children are gone. The receiver hears of it: its sender is then dropped.
    ///
    /// The reader never stops before the end, since a full pipe would block the server.
    pub(crate) fn follow(&self, mut stderr: ChildStderr) -> Result<Receiver<()>, Error> {
        let (at_end, ended) = channel();
        let log = self.clone();
        let reader = move || {
            let _at_end = at_end;
            let mut splitter = Splitter::default();
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                splitter.take(&chunk[..count], |line| log.push(line));
            }
        };
        thread::Builder::new()
            .name("postgres-log".to_owned())
            .spawn(reader)
            .map_err(Error::Thread)?;
        Ok(ended)
    }

    /// The last lines, oldest first.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// So that the log of one server is not taken for that of the next.
    pub(crate) fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn push(&self, line: String) {
        tracing::debug!(target: "postgres", "{line}");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Cuts a stream of bytes into lines; the part of a line beyond the limit is dropped.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
}

impl Splitter {
    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        for &byte in bytes {
            if byte == b'\n' {
                each(String::from_utf8_lossy(&self.line).trim_end().to_owned());
                self.line.clear();
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES_KEPT, LONGEST_LINE, ServerLog, Splitter};

    #[test]
    fn lines_are_put_together_from_pieces_and_cut_when_too_long() {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        splitter.take(b"LOG:  sta", |line| lines.push(line));
        splitter.take(b"rting\nLOG:  ready\n", |line| lines.push(line));
        splitter.take(&[b'x'; 10_000], |line| lines.push(line));
        splitter.take(b"\n", |line| lines.push(line));
        assert_eq!(lines[..2], ["LOG:  starting", "LOG:  ready"]);
        assert_eq!(lines[2].len(), LONGEST_LINE);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = ServerLog::default();
        for number in 0..100 {
            log.push(format!("line {number}"));
        }
        assert_eq!(log.tail().lines().count(), LINES_KEPT);
        assert!(log.tail().ends_with("line 99"));
    }
}
