//! Secrets that are recognised by their form alone: tokens with a known beginning, URLs with a user and password, headers
//! with a scheme, private keys.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use percent_encoding::percent_decode_str;

use crate::spans::Spans;

/// The beginnings of tokens, and the least number of further characters.
const TOKENS: [(&str, usize); 26] = [
    // dbt Cloud: service, user, scim and legacy tokens.
    ("dbtc_", 1),
    ("dbtu_", 1),
    ("dbts_", 1),
    ("dbtl_", 1),
    // The gateway's keys.
    ("dgw_", 1),
    // GitHub, GitLab.
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    // Slack, Stripe, npm, Hugging Face, OpenAI and others.
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("npm_", 30),
    ("hf_", 30),
    ("sk-", 30),
    // AWS, Google, Databricks.
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("dapi", 32),
];

/// The other beginnings, in the order of [`After`].
const OTHERS: [&str; 10] = [
    "://",
    "Bearer ",
    "bearer ",
    "Basic ",
    "basic ",
    "Token ",
    "token ",
    "BEARER ",
    "eyJ",
    "-----BEGIN",
];

static BEGINNINGS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let all = TOKENS.iter().map(|(beginning, _)| *beginning).chain(OTHERS);
    AhoCorasick::new(all).ok()
});

/// The least length of what follows the scheme of a header.
const MIN_HEADER: usize = 16;
/// The farthest end of a password in a URL.
const MAX_USERINFO: usize = 512;
/// How often a text may be percent-coded.
const MAX_CODINGS: usize = 3;

pub(crate) fn is_suspicious(text: &str) -> bool {
    BEGINNINGS.as_ref().is_none_or(|all| all.is_match(text))
}

pub(crate) fn find(text: &str, found: &mut Spans) {
    let Some(beginnings) = &*BEGINNINGS else {
        // The table cannot be built: nothing is known to be harmless.
        return found.add(0..text.len());
    };
    // Up to there no JSON web token begins: the characters are the same ones.
    let (mut done, mut no_web_token) = (0, 0);
    for hit in beginnings.find_iter(text) {
        if hit.start() < done {
            continue;
        }
        let secret = match TOKENS.get(hit.pattern().as_usize()) {
            Some((_, least)) => token(text, hit.range(), *least),
            None => match OTHERS[hit.pattern().as_usize() - TOKENS.len()] {
                "://" => userinfo(text, hit.end()),
                "eyJ" if hit.start() < no_web_token => None,
                "eyJ" => web_token(text, hit.range()).inspect_err(|end| no_web_token = *end).ok(),
                "-----BEGIN" => private_key(text, hit.start()),
                _ => header_value(text, hit.end()),
            },
        };
        if let Some(secret) = secret {
            done = secret.end;
            found.add(secret);
        }
    }
}

fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=')
}

/// The end of the characters from `start` that fulfil the condition.
fn end_of(text: &str, start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let bytes = &text.as_bytes()[start..];
    start + bytes.iter().position(|byte| !is_part(*byte)).unwrap_or(bytes.len())
}

fn token(text: &str, beginning: Range<usize>, least: usize) -> Option<Range<usize>> {
    // A path goes on after the token.
    let end = end_of(text, beginning.end, |byte| is_token_char(byte) && byte != b'/');
    (end - beginning.end >= least).then_some(beginning.start..end)
}

/// User and password of a URL, from the end of its `://`.
fn userinfo(text: &str, start: usize) -> Option<Range<usize>> {
    let is_outside = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`');
    let end = end_of(text, start, |byte| {
        !is_outside(byte) && !matches!(byte, b'/' | b'?' | b'#')
    });
    let authority = &text[start..end];
    if let Some(at) = authority.rfind('@') {
        return Some(start..start + at);
    }
    // A password with a slash that is not coded: what follows the colon is no port.
    let (_, port) = authority.split_once(':')?;
    if port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let word = &text.as_bytes()[start..];
    let word = &word[..word.len().min(MAX_USERINFO)];
    let word = word.split(|byte| is_outside(*byte)).next()?;
    let at = word.iter().rposition(|byte| *byte == b'@')?;
    Some(start..start + at)
}

/// What follows `Bearer `, `Basic ` or `Token `, if it is long enough and not a word.
fn header_value(text: &str, start: usize) -> Option<Range<usize>> {
    let end = end_of(text, start, |byte| is_token_char(byte) || matches!(byte, b'.' | b'~'));
    let value = &text[start..end];
    let is_coded =
        value.bytes().any(|byte| byte.is_ascii_digit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    (value.len() >= MIN_HEADER && is_coded).then_some(start..end)
}

/// A JSON web token: at least two parts of base64 with a dot between; else the end of the characters.
fn web_token(text: &str, beginning: Range<usize>) -> Result<Range<usize>, usize> {
    let end = end_of(text, beginning.end, |byte| is_token_char(byte) || byte == b'.');
    let token = &text[beginning.start..end];
    if token.len() >= 30 && token.contains('.') {
        Ok(beginning.start..end)
    } else {
        Err(end)
    }
}

/// A private key in PEM, to its end or that of the text.
fn private_key(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    let title = &rest.as_bytes()[..rest.len().min(64)];
    // First, so that no other text is searched for its end.
    if !title.windows(11).any(|part| part == b"PRIVATE KEY") {
        return None;
    }
    let end = rest.find("-----END").map_or(text.len(), |end| {
        let after = start + end + "-----END".len();
        text[after..]
            .find("-----")
            .map_or(text.len(), |dashes| after + dashes + "-----".len())
    });
    Some(start..end)
}

/// Whether the text has a percent-coded character.
pub(crate) fn has_percent_code(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let code = rest.as_bytes();
        code.len() >= 2 && code[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

/// Words that are secrets once decoded: the parts of a path or query, or the whole word.
pub(crate) fn find_percent_coded(text: &str, found: &mut Spans, is_secret: impl Fn(&str) -> bool) {
    if !has_percent_code(text) {
        return;
    }
    let is_coded_secret = |word: &str| has_percent_code(word) && is_secret(&decoded(word));
    let is_outside = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '\\' | '<' | '>');
    for word in text.split(is_outside).filter(|word| is_coded_secret(word)) {
        let range = |part: &str| {
            let start = part.as_ptr().addr() - text.as_ptr().addr();
            start..start + part.len()
        };
        let mut in_parts = false;
        for part in word
            .split(['/', '?', '&', '=', ',', ';'])
            .filter(|part| is_coded_secret(part))
        {
            in_parts = true;
            found.add(range(part));
        }
        if !in_parts {
            found.add(range(word));
        }
    }
}

fn decoded(word: &str) -> String {
    let mut text = word.to_owned();
    for _ in 0..MAX_CODINGS {
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == text {
            break;
        }
        text = next;
    }
    text
}
