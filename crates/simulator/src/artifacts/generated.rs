//! Files of any size below `simulated/`: in `simulated/1GiB.bin` every eight bytes are their own position, so that a
//! reader can check each part; `simulated/20MiB.json` is one JSON object of exactly that size.

use std::io;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::Stream;

const CHUNK: u64 = 64 * 1024;
const JSON_HEAD: &[u8] = br#"{"padding":""#;
const JSON_TAIL: &[u8] = br#""}"#;

/// A file that is produced while it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generated {
    length: u64,
    json: bool,
}

impl Generated {
    /// `simulated/SIZE.bin` or `.json`; SIZE in bytes, or with KiB, MiB, GiB. Up to 16 GiB.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (size, kind) = name.strip_prefix("simulated/")?.rsplit_once('.')?;
        let (digits, factor) = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
            .into_iter()
            .find_map(|(unit, factor)| Some((size.strip_suffix(unit)?, factor)))
            .unwrap_or((size, 1_u64));
        let length = digits
            .parse::<u64>()
            .ok()?
            .checked_mul(factor)
            .filter(|length| *length <= 16 << 30)?;
        match kind {
            "bin" => Some(Self { length, json: false }),
            "json" if length >= (JSON_HEAD.len() + JSON_TAIL.len()) as u64 => Some(Self { length, json: true }),
            _ => None,
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The bytes from `start` up to but not including `end`.
    fn fill(&self, start: u64, end: u64) -> Bytes {
        let mut buffer = BytesMut::with_capacity(usize::try_from(end - start).unwrap_or_default());
        let mut position = start;
        while position < end {
            if !self.json && position.is_multiple_of(8) && end - position >= 8 {
                buffer.put_u64(position / 8);
                position += 8;
            } else {
                buffer.put_u8(self.byte(position));
                position += 1;
            }
        }
        buffer.freeze()
    }

    fn byte(&self, position: u64) -> u8 {
        let at = |index: u64| usize::try_from(index).unwrap_or_default();
        if !self.json {
            return (position / 8).to_be_bytes()[at(position % 8)];
        }
        let tail = self.length - JSON_TAIL.len() as u64;
        if position < JSON_HEAD.len() as u64 {
            JSON_HEAD[at(position)]
        } else if position >= tail {
            JSON_TAIL[at(position - tail)]
        } else {
            b'a' + u8::try_from(position % 26).unwrap_or_default()
        }
    }

    /// The part from `start` up to but not including `end`, a chunk at a time.
    pub(crate) fn stream(self, start: u64, end: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        futures::stream::unfold(start, move |position| async move {
            if position >= end {
                return None;
            }
            let next = (position + CHUNK).min(end);
            Some((Ok(self.fill(position, next)), next))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_with_and_without_a_unit() {
        assert_eq!(
            Generated::named("simulated/1GiB.bin").map(|file| file.length()),
            Some(1 << 30)
        );
        assert_eq!(
            Generated::named("simulated/100.bin").map(|file| file.length()),
            Some(100)
        );
        for name in [
            "simulated/99GiB.bin",
            "simulated/3.json",
            "simulated/1MB.bin",
            "1GiB.bin",
        ] {
            assert_eq!(Generated::named(name), None, "{name}");
        }
    }

    #[test]
    fn a_generated_json_file_is_json_of_the_right_size() {
        let file = Generated::named("simulated/1KiB.json").expect("known");
        let bytes = file.fill(0, file.length());
        assert_eq!(bytes.len(), 1024);
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    }

    #[test]
    fn every_word_of_a_binary_file_is_its_position() {
        let file = Generated::named("simulated/1MiB.bin").expect("known");
        assert_eq!(file.fill(8 * 300, 8 * 301).as_ref(), 300_u64.to_be_bytes());
    }
}
