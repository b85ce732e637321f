//! The path check. URL libraries and servers normalise and decode paths in different ways, so a path that two of them
//! could read differently is refused. Routing and sending both use the checked path.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Characters that must be percent-encoded in a path: those that URL libraries encode too.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path that every URL library and server reads the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPath {
    sent: String,
    decoded: String,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedPath {
    /// It does not begin with a slash.
    #[error("a path begins with a slash")]
    NoSlash,
    /// Two slashes in a row.
    #[error("a segment of the path is empty")]
    EmptySegment,
    /// `.` or `..`, encoded or not.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// A backslash, an encoded slash or an encoded backslash.
    #[error("a segment of the path holds a slash or a backslash")]
    Separator,
    /// A control character, encoded or not.
    #[error("the path holds a control character")]
    Control,
    /// A percent sign without two hexadecimal digits after it.
    #[error("the path holds a percent sign that encodes nothing")]
    Percent,
    /// The segment after `accounts` is not an id.
    #[error("the account in the path is not an id")]
    Account,
}

impl RelayPath {
    /// Checks the path of a request as received, without its query.
    ///
    /// # Errors
    /// [`RefusedPath`].
    pub fn check(raw: &str) -> Result<Self, RefusedPath> {
        let inner = raw.strip_prefix('/').ok_or(RefusedPath::NoSlash)?;
        let (segments, slash) = match inner.strip_suffix('/') {
            Some(segments) => (segments, "/"),
            None => (inner, ""),
        };
        let mut decoded = String::with_capacity(raw.len());
        for segment in segments.split('/') {
            decoded.push('/');
            decoded.push_str(&check_segment(segment)?);
        }
        decoded.push_str(slash);
        let sent = utf8_percent_encode(raw, ENCODED).to_string();
        Ok(Self { sent, decoded })
    }

    /// The path to send: as received, with illegal characters percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.sent
    }

    /// The decoded path, without a trailing slash.
    pub(crate) fn decoded(&self) -> &str {
        self.decoded.trim_end_matches('/')
    }

    /// The same path with or without a trailing slash.
    #[must_use]
    pub(crate) fn with_slash(mut self, slash: bool) -> Self {
        for path in [&mut self.sent, &mut self.decoded] {
            path.truncate(path.trim_end_matches('/').len());
            path.extend(slash.then_some('/'));
        }
        self
    }
}

/// The decoded segment. Checked again after each further decoding, since a server may decode more than once.
fn check_segment(raw: &str) -> Result<String, RefusedPath> {
    if raw.is_empty() {
        return Err(RefusedPath::EmptySegment);
    }
    let mut percents = raw.split('%');
    percents.next();
    if !percents.all(|after| after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())) {
        return Err(RefusedPath::Percent);
    }
    let first = decode(raw);
    let mut text = first.clone();
    loop {
        if text == "." || text == ".." {
            return Err(RefusedPath::DotSegment);
        }
        if text.contains(['/', '\\']) {
            return Err(RefusedPath::Separator);
        }
        if text.contains(char::is_control) {
            return Err(RefusedPath::Control);
        }
        let again = decode(&text);
        if again == text {
            return Ok(first);
        }
        text = again;
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn ambiguous_paths_are_refused() {
        use RefusedPath::{Control, DotSegment, EmptySegment, NoSlash, Percent, Separator};
        for (path, why) in [
            ("api/v2/", NoSlash),
            ("", NoSlash),
            ("/", EmptySegment),
            ("/api//v2/", EmptySegment),
            ("/api/v2//", EmptySegment),
            ("//api/v2/", EmptySegment),
            ("/api/v2/accounts/1/../2/", DotSegment),
            ("/api/v2/accounts/1/%2e%2e/2/", DotSegment),
            ("/api/v2/accounts/1/%2E%2e/2/", DotSegment),
            ("/api/v2/accounts/1/.%2E/2/", DotSegment),
            ("/api/v2/accounts/1/%2e./2/", DotSegment),
            ("/api/v2/./accounts/", DotSegment),
            ("/api/v2/%2e/accounts/", DotSegment),
            ("/api/v2/accounts/..", DotSegment),
            ("/api/v2/accounts/%2E%2E", DotSegment),
            ("/api/v2/accounts/1/%252e%252e/2/", DotSegment),
            ("/api/v2/accounts/1/%25252E%25252e/2/", DotSegment),
            ("/api/v2/accounts/1/..\\2/", Separator),
            ("/api/v2/accounts/1\\2/", Separator),
            ("/api/v2/accounts/1/%5c2/", Separator),
            ("/api/v2/accounts/1/%5C..%5C2/", Separator),
            ("/api/v2/accounts/1%2f2/", Separator),
            ("/api/v2/accounts/1/..%2F2/", Separator),
            ("/api/v2/accounts/1%252f2/", Separator),
            ("/api/v2/a%00b/", Control),
            ("/api/v2/a%0d%0aHost:%20evil/", Control),
            ("/api/v2/a%7f/", Control),
            ("/api/v2/a\tb/", Control),
            ("/api/v2/a%C2%85b/", Control),
            ("/api/v2/a%250Ab/", Control),
            ("/api/v2/100%/", Percent),
            ("/api/v2/%zz/", Percent),
            ("/api/v2/%2", Percent),
            ("/api/v2/%+1/", Percent),
        ] {
            assert_eq!(RelayPath::check(path), Err(why), "{path}");
        }
    }

    /// Compares with `url`, the library that `reqwest` sends with.
    #[test]
    fn a_checked_path_is_sent_unchanged() {
        for path in [
            "/api/v2/accounts/1/jobs/",
            "/api/v2/accounts/1/runs/2/artifacts/compiled/shop/models/a b.sql",
            "/api/v2/accounts/1/runs/2/artifacts/compiled/größe/%C3%A9.sql",
            "/api/v2/accounts/1/runs/2/artifacts/a%20b%3Fc%23d%25e.sql",
            "/api/v2/accounts/1/runs/2/artifacts/{x}|\"y\"`z`<a>^b",
            "/api/v3/accounts/1/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
            "/api/v2/a!$&'()*+,;=:@-._~/...",
        ] {
            let checked = RelayPath::check(path).unwrap();
            let mut url = Url::parse("https://dbt.test/").unwrap();
            url.set_path(checked.as_str());
            assert_eq!(url.path(), checked.as_str());
            let decoded = percent_decode_str(url.path()).decode_utf8().unwrap();
            assert_eq!(decoded, percent_decode_str(path).decode_utf8().unwrap());
        }
    }
}
