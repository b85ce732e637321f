//! Finds a secret in every spelling, and collects the log lines to search.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing_subscriber::fmt::MakeWriter;

use super::{TOKEN, WRONG};

/// Collects log lines.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

impl io::Write for Lines {
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

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A secret as it may turn up: itself, in hex, and in base64, wherever it stands in what was encoded.
pub(super) fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), hex::encode(secret), hex::encode_upper(secret)];
    for shift in 0..3 {
        let mut bytes = vec![0; shift];
        bytes.extend(secret.bytes());
        let encoded = STANDARD.encode(&bytes);
        // Without the characters that depend on what stands before and after.
        let own = &encoded[(shift * 8).div_ceil(6)..bytes.len() * 8 / 6];
        all.extend([own.to_owned(), own.replace('+', "-").replace('/', "_")]);
    }
    all
}

pub(super) fn finds(secrets: &[String], text: &str) -> Option<String> {
    secrets.iter().find(|secret| text.contains(secret.as_str())).cloned()
}

#[test]
fn the_search_finds_a_secret_in_every_spelling() {
    let secrets = spellings(TOKEN);
    for around in ["", "a", "ab", "abc"] {
        let text = format!("{around}{TOKEN}{around}");
        let encoded = STANDARD.encode(&text);
        for hidden in [hex::encode(&text), hex::encode_upper(&text), encoded, text] {
            assert!(finds(&secrets, &hidden).is_some(), "{hidden}");
        }
    }
    assert_eq!(finds(&secrets, &STANDARD.encode(WRONG)), None);
}
