//! Searches texts for secrets in every encoding, and collects log lines.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing_subscriber::fmt::MakeWriter;

use super::{TOKEN, WRONG};

/// Collects log lines.
#[derive(Clone, Default)]
pub(super) struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogLines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A secret as plain text, in hex, and in base64 at each of the three alignments in an encoded text.
fn encodings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), hex::encode(secret), hex::encode_upper(secret)];
    for shift in 0..3 {
        let mut bytes = vec![0; shift];
        bytes.extend(secret.bytes());
        let encoded = STANDARD.encode(&bytes);
        // Without the characters that depend on the bytes before and after.
        let own = &encoded[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6];
        all.extend([own.to_owned(), own.replace('+', "-").replace('/', "_")]);
    }
    all
}

/// Finds any of many secrets in one pass over a text.
pub(super) struct SecretSearch {
    patterns: Vec<String>,
    automaton: AhoCorasick,
}

impl SecretSearch {
    pub(super) fn new(secrets: &[String]) -> Self {
        let patterns: Vec<String> = secrets.iter().flat_map(|secret| encodings(secret)).collect();
        let automaton = AhoCorasick::new(&patterns).unwrap();
        Self { patterns, automaton }
    }

    /// The first encoded secret in the text.
    pub(super) fn find(&self, text: &str) -> Option<&str> {
        let found = self.automaton.find(text)?;
        Some(&self.patterns[found.pattern()])
    }
}

#[test]
fn the_search_finds_a_secret_in_every_encoding() {
    let search = SecretSearch::new(&[TOKEN.to_owned()]);
    for around in ["", "a", "ab", "abc"] {
        let text = format!("{around}{TOKEN}{around}");
        let encoded = STANDARD.encode(&text);
        for hidden in [hex::encode(&text), hex::encode_upper(&text), encoded, text] {
            assert!(search.find(&hidden).is_some(), "{hidden}");
        }
    }
    assert_eq!(search.find(&STANDARD.encode(WRONG)), None);
}
