//! How a file is answered: whole, a part (`Range`), or not at all because the caller has it (`If-None-Match`).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Content;

/// A file on its way out.
pub(crate) struct ArtifactAnswer {
    content: Content,
    asked: HeaderMap,
}

/// What a `Range` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    /// From, up to but not including.
    Part(u64, u64),
    Impossible,
}

impl ArtifactAnswer {
    pub(crate) fn new(content: Content, asked: &HeaderMap) -> Self {
        Self {
            content,
            asked: asked.clone(),
        }
    }

    fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.asked.get(name)?.to_str().ok()
    }

    pub(crate) fn into_response(self) -> Response {
        let etag = &self.content.etag;
        let has_it = |list: &str| {
            list.split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
        };
        if self.header(&header::IF_NONE_MATCH).is_some_and(has_it) {
            return self.respond(StatusCode::NOT_MODIFIED, None, Body::empty());
        }
        let length = self.content.source.length();
        let same = self.header(&header::IF_RANGE).is_none_or(|tag| tag == etag);
        let asked = self
            .header(&header::RANGE)
            .filter(|_| same)
            .map_or(Asked::Whole, |range| parse(range, length));
        match asked {
            Asked::Whole => {
                let body = self.content.source.body(0, length);
                self.respond(StatusCode::OK, Some((0, length)), body)
            }
            Asked::Part(from, to) => {
                let body = self.content.source.body(from, to);
                self.respond(StatusCode::PARTIAL_CONTENT, Some((from, to)), body)
            }
            Asked::Impossible => {
                let mut response = self.respond(StatusCode::RANGE_NOT_SATISFIABLE, None, Body::empty());
                set(&mut response, &header::CONTENT_RANGE, &format!("bytes */{length}"));
                response
            }
        }
    }

    fn respond(&self, status: StatusCode, sent: Option<(u64, u64)>, body: Body) -> Response {
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

/// One range; several at once, and other units, are answered whole, as a server may.
fn parse(range: &str, length: u64) -> Asked {
    let Some(spec) = range.trim().strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else {
        return Asked::Whole;
    };
    let Some((from, to)) = spec.split_once('-') else {
        return Asked::Whole;
    };
    match (from.trim().parse::<u64>().ok(), to.trim().parse::<u64>().ok()) {
        (None, Some(0)) => Asked::Impossible,
        (None, Some(last)) if from.trim().is_empty() => Asked::Part(length.saturating_sub(last), length),
        (Some(from), to) if from < length => {
            let end = to.map_or(length, |to| (to.saturating_add(1)).min(length));
            if end <= from {
                Asked::Whole
            } else {
                Asked::Part(from, end)
            }
        }
        (Some(_), _) => Asked::Impossible,
        _ => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_means_them() {
        assert_eq!(parse("bytes=0-9", 100), Asked::Part(0, 10));
        assert_eq!(parse("bytes=90-", 100), Asked::Part(90, 100));
        assert_eq!(parse("bytes=-10", 100), Asked::Part(90, 100));
        assert_eq!(parse("bytes=50-500", 100), Asked::Part(50, 100));
        assert_eq!(parse("bytes=100-", 100), Asked::Impossible);
        assert_eq!(parse("bytes=9-2", 100), Asked::Whole);
        assert_eq!(parse("bytes=0-1,5-6", 100), Asked::Whole);
        assert_eq!(parse("lines=0-1", 100), Asked::Whole);
    }
}
