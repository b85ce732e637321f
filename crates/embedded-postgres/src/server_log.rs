//! The server's log: each line becomes a `tracing` event at debug level; the last lines are kept for error messages. There
//! is no log file. Called by `server` and `supervisor`.

use std::collections::VecDeque;
use std::io::Read;
use std::process::ChildStderr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Error;

const MAX_LINES: usize = 12;
const MAX_LINE_BYTES: usize = 400;

/// The last lines of the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerLog {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl ServerLog {
    /// Reads until the server and its children have ended; then the sender of the returned receiver is dropped.
    ///
    /// The reader never stops earlier, because a full pipe would block the server.
    pub(crate) fn follow(&self, mut stderr: ChildStderr) -> Result<Receiver<()>, Error> {
        let (sender, ended) = channel();
        let log = self.clone();
        let reader = move || {
            let _dropped_at_end = sender;
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

    /// Separates the logs of successive servers.
    pub(crate) fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn push(&self, line: String) {
        tracing::debug!(target: "postgres", "{line}");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Splits a stream of bytes into lines, truncated to `MAX_LINE_BYTES`.
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
            } else if self.line.len() < MAX_LINE_BYTES {
                self.line.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINE_BYTES, MAX_LINES, ServerLog, Splitter};

    #[test]
    fn lines_are_joined_from_chunks_and_truncated() {
        let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
        splitter.take(b"LOG:  sta", |line| lines.push(line));
        splitter.take(b"rting\nLOG:  ready\n", |line| lines.push(line));
        splitter.take(&[b'x'; 10_000], |line| lines.push(line));
        splitter.take(b"\n", |line| lines.push(line));
        assert_eq!(lines[..2], ["LOG:  starting", "LOG:  ready"]);
        assert_eq!(lines[2].len(), MAX_LINE_BYTES);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = ServerLog::default();
        for number in 0..100 {
            log.push(format!("line {number}"));
        }
        assert_eq!(log.tail().lines().count(), MAX_LINES);
        assert!(log.tail().ends_with("line 99"));
    }
}
