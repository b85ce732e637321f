//! Answers with an artifact: whole, a range (`Range`), or 304 (`If-None-Match`).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::content::Content;

/// The bytes that a `Range` header requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requested {
    Whole,
    /// From, up to but not including.
    Range(u64, u64),
    Unsatisfiable,
}

/// The answer to a request with these headers.
pub(crate) fn artifact_response(content: Content, headers: &HeaderMap) -> Response {
    Request { content, headers }.respond()
}

struct Request<'a> {
    content: Content,
    headers: &'a HeaderMap,
}

impl Request<'_> {
    fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn respond(&self) -> Response {
        let etag = &self.content.etag;
        let matches_etag = |list: &str| {
            list.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
        };
        if self.header(&header::IF_NONE_MATCH).is_some_and(matches_etag) {
            return self.answer(StatusCode::NOT_MODIFIED, None, Body::empty());
        }
        let length = self.content.source.length();
        let same = self.header(&header::IF_RANGE).is_none_or(|tag| tag == etag);
        let requested = self
            .header(&header::RANGE)
            .filter(|_| same)
            .map_or(Requested::Whole, |range| parse(range, length));
        match requested {
            Requested::Whole => {
                let body = self.content.source.body(0, length);
                self.answer(StatusCode::OK, Some((0, length)), body)
            }
            Requested::Range(from, to) => {
                let body = self.content.source.body(from, to);
                self.answer(StatusCode::PARTIAL_CONTENT, Some((from, to)), body)
            }
            Requested::Unsatisfiable => {
                let mut response = self.answer(StatusCode::RANGE_NOT_SATISFIABLE, None, Body::empty());
                set(&mut response, &header::CONTENT_RANGE, &format!("bytes */{length}"));
                response
            }
        }
    }

    fn answer(&self, status: StatusCode, sent: Option<(u64, u64)>, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        set(&mut response, &header::ETAG, &self.content.etag);
        set(&mut response, &header::ACCEPT_RANGES, "bytes");
        if let Some((from, to)) = sent {
            set(&mut response, &header::CONTENT_TYPE, self.content.media_type);
            set(&mut response, &header::CONTENT_LENGTH, &(to - from).to_string());
            if status == StatusCode::PARTIAL_CONTENT {
                let last = to - 1;
                set(
                    &mut response,
                    &header::CONTENT_RANGE,
                    &format!("bytes {from}-{last}/{}", self.content.source.length()),
                );
            }
        }
        response
    }
}

fn set(response: &mut Response, name: &header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Reads one range. Several ranges and other units are answered with the whole file, as HTTP permits.
fn parse(range: &str, length: u64) -> Requested {
    let Some(spec) = range.trim().strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else {
        return Requested::Whole;
    };
    let Some((from, to)) = spec.split_once('-') else {
        return Requested::Whole;
    };
    match (from.trim().parse::<u64>().ok(), to.trim().parse::<u64>().ok()) {
        (None, Some(0)) => Requested::Unsatisfiable,
        (None, Some(last)) if from.trim().is_empty() => Requested::Range(length.saturating_sub(last), length),
        (Some(from), to) if from < length => {
            let end = to.map_or(length, |to| (to.saturating_add(1)).min(length));
            if end <= from {
                Requested::Whole
            } else {
                Requested::Range(from, end)
            }
        }
        (Some(_), _) => Requested::Unsatisfiable,
        _ => Requested::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_header_is_read_as_http_defines_it() {
        assert_eq!(parse("bytes=0-9", 100), Requested::Range(0, 10));
        assert_eq!(parse("bytes=90-", 100), Requested::Range(90, 100));
        assert_eq!(parse("bytes=-10", 100), Requested::Range(90, 100));
        assert_eq!(parse("bytes=50-500", 100), Requested::Range(50, 100));
        assert_eq!(parse("bytes=100-", 100), Requested::Unsatisfiable);
        assert_eq!(parse("bytes=9-2", 100), Requested::Whole);
        assert_eq!(parse("bytes=0-1,5-6", 100), Requested::Whole);
        assert_eq!(parse("lines=0-1", 100), Requested::Whole);
    }
}
