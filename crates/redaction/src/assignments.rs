//! Values after a name that says that they are secret: `password: x`, `"token": "x"`, `DB_PASSWORD=x`, `--api-key x`; in
//! JSON (also within a text of JSON), YAML, shell commands, queries and GraphQL.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::names::{is_plural, is_secret_name};
use crate::spans::Spans;

/// Parts of names of secrets, with their separators. `names.rs` decides.
const WORDS: [&str; 24] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "authorization",
    "apikey",
    "api_key",
    "api-key",
    "privatekey",
    "private_key",
    "private-key",
    "accesskey",
    "access_key",
    "access-key",
    "accountkey",
    "account_key",
    "sharedkey",
    "shared_key",
    "signature",
    "cookie",
    "connectionstring",
    "connection_string",
    "bearer",
];

static NAMES: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(WORDS).ok());

pub(crate) fn is_suspicious(text: &str) -> bool {
    NAMES.as_ref().is_none_or(|names| names.is_match(text))
}

pub(crate) fn find(text: &str, found: &mut Spans) {
    let Some(names) = &*NAMES else {
        return found.add(0..text.len());
    };
    let bytes = text.as_bytes();
    let (mut done, mut depth, mut counted) = (0, 0_usize, 0);
    for hit in names.find_iter(text) {
        if hit.start() < done {
            continue;
        }
        let name = name_around(bytes, hit.range(), done);
        done = name.end;
        if !is_secret_name(&text[name.clone()]) {
            continue;
        }
        for byte in &bytes[counted..name.start] {
            match byte {
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' | b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        counted = name.start;
        if let Some(value) = Value::after(text, &name, depth > 0) {
            done = value.range.end.max(done);
            found.add_quoted(value.range, value.quote);
        }
    }
}

/// The whole name; it begins at `from` or later.
fn name_around(bytes: &[u8], hit: Range<usize>, from: usize) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || *byte >= 0x80;
    let before = bytes[from..hit.start]
        .iter()
        .rev()
        .take_while(|byte| is_part(byte))
        .count();
    let after = bytes[hit.end..].iter().take_while(|byte| is_part(byte)).count();
    hit.start - before..hit.end + after
}

/// What stands between name and value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Colon,
    Equals,
    /// After the name of an option.
    Space,
}

/// A value to replace.
struct Value {
    range: Range<usize>,
    /// The quote to add: that of the name, where the value has none.
    quote: String,
}

impl Value {
    /// The value after a name. `in_braces`: within braces, as in JSON.
    fn after(text: &str, name: &Range<usize>, in_braces: bool) -> Option<Self> {
        let bytes = text.as_bytes();
        let is_at = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
        let skip = |mut at: usize, any: &[u8]| {
            while is_at(at, any) {
                at += 1;
            }
            at
        };
        let closed = skip(name.end, b"\\\"'`]");
        let quote = &text[name.end..closed];
        let at = skip(closed, b" \t");
        let is_option = bytes[name.start] == b'-' || (name.start > 0 && bytes[name.start - 1] == b'-');
        let (separator, at) = match bytes.get(at)? {
            b':' if !is_at(at + 1, b":") && !text[at..].starts_with("://") => (Separator::Colon, skip(at + 1, b"=")),
            b'=' => (Separator::Equals, skip(at + 1, b"=>~")),
            _ if is_option && at > closed => (Separator::Space, at),
            _ => return None,
        };
        let spaced = skip(at, b" \t\r\n");
        let opened = skip(spaced, b"\\");
        if is_at(opened, b"\"'`") {
            let end = end_of_quoted(text, opened, opened - spaced);
            return Some(Self {
                range: end.0..end.1,
                quote: String::new(),
            });
        }
        let start = skip(at, b" \t");
        let end = match bytes.get(start)? {
            b'{' | b'[' => end_of_braces(bytes, start),
            b'|' | b'>' if separator == Separator::Colon => text.len(),
            b'-' if separator == Separator::Space && is_at(start + 1, b"-") => return None,
            _ => end_of_plain(text, start, separator, in_braces),
        };
        let value = text[start..end].trim_end();
        let is_number = value.parse::<f64>().is_ok();
        let is_harmless =
            ["", "true", "false", "null", "none", "[redacted]"].contains(&value.to_ascii_lowercase().as_str());
        if is_harmless || (is_number && is_plural(&text[name.clone()])) {
            return None;
        }
        Some(Self {
            range: start..start + value.len(),
            quote: quote.trim_end_matches(']').to_owned(),
        })
    }
}

/// Start and end of what is within the quotes that open at `at`, after that many backslashes; unclosed, to the end.
fn end_of_quoted(text: &str, at: usize, backslashes: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let quote = bytes[at];
    if text[at..].starts_with("\"\"\"") {
        let end = text[at + 3..].find("\"\"\"").map_or(text.len(), |end| at + 3 + end);
        return (at + 3, end);
    }
    let start = at + 1;
    let (mut before, mut index) = (0, start);
    while let Some(byte) = bytes.get(index) {
        if *byte == b'\\' {
            before += 1;
        } else {
            if *byte == quote {
                let is_doubled = quote == b'\'' && backslashes == 0 && bytes.get(index + 1) == Some(&quote);
                let closes = before == backslashes || (backslashes == 0 && before % 2 == 0);
                if is_doubled {
                    index += 1;
                } else if closes {
                    return (start, index - before.min(backslashes));
                }
            }
            before = 0;
        }
        index += 1;
    }
    (start, text.len())
}

/// The end of what is in braces or brackets; unclosed, that of the text.
fn end_of_braces(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    bytes.len()
}

/// The end of a value without quotes.
fn end_of_plain(text: &str, start: usize, separator: Separator, in_braces: bool) -> usize {
    let end = |from: usize, stops: &[u8]| {
        let found = text.as_bytes()[from..].iter().position(|byte| stops.contains(byte));
        found.map_or(text.len(), |index| from + index)
    };
    match separator {
        Separator::Colon if in_braces => end(start, b",}])\n\"'\\"),
        Separator::Colon => end(start, b"\n\"'"),
        Separator::Equals | Separator::Space => {
            let stops = b" \t\r\n&;\"'`)}";
            let word = end(start, stops);
            let is_scheme = ["bearer", "basic", "token"].contains(&text[start..word].to_ascii_lowercase().as_str());
            if is_scheme {
                end((word + 1).min(text.len()), stops)
            } else {
                word
            }
        }
    }
}
