//! A minimal HTTP client that sends and reads exact bytes.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer with its unframed body.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body reached the end of its framing.
    pub(crate) is_whole: bool,
}

impl RawAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Sends these bytes and reads until the server closes the connection; returns all answers.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<RawAnswer> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(request).await;
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    answers(&received)
}

/// As above, for a request with one answer.
pub(crate) async fn only(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut answers = exchange(address, request).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

/// An HTTP request with `Connection: close`.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if let Some(body) = body {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// Parses the answers received over a connection.
pub(crate) fn answers(mut received: &[u8]) -> Vec<RawAnswer> {
    let mut answers = Vec::new();
    while let Some(end) = find(received, b"\r\n\r\n") {
        let head = std::str::from_utf8(&received[..end]).unwrap();
        received = &received[end + 4..];
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let header = |name: &str| {
            headers
                .iter()
                .find(|(each, _)| each == name)
                .map(|(_, value)| value.clone())
        };
        let (body, is_whole) = if status < 200 || status == 204 || status == 304 {
            (Vec::new(), true)
        } else if header("transfer-encoding").is_some() {
            chunked(&mut received)
        } else {
            let length = header("content-length").map_or(received.len(), |length| length.parse().unwrap());
            let taken = length.min(received.len());
            let (body, rest) = received.split_at(taken);
            received = rest;
            (body.to_vec(), taken == length)
        };
        answers.push(RawAnswer {
            status,
            headers,
            body,
            is_whole,
        });
    }
    answers
}

fn chunked(received: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = find(received, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&received[..end]).unwrap(), 16).unwrap();
        let rest = &received[end + 2..];
        if rest.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&rest[..size]);
        *received = &rest[size + 2..];
        if size == 0 {
            return (body, true);
        }
    }
    (body, false)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
