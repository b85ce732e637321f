//! HTTP by hand: what is written is what is sent, and what is read is what came.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer as it came, its body put together.
#[derive(Debug)]
pub(super) struct RawAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the body came to the end that its framing promised.
    pub(super) is_whole: bool,
}

impl RawAnswer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Sends these bytes and reads until the other side closes: all answers that came.
pub(super) async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<RawAnswer> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut came = Vec::new();
    let _ = stream.read_to_end(&mut came).await;
    answers(&came)
}

/// As above, for a request that has one answer.
pub(super) async fn only(address: SocketAddr, request: &[u8]) -> RawAnswer {
    let mut answers = exchange(address, request).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

/// A request as clients write it, with `Connection: close`.
pub(super) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
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

/// The answers in what came over a connection.
pub(super) fn answers(mut came: &[u8]) -> Vec<RawAnswer> {
    let mut answers = Vec::new();
    while let Some(end) = find(came, b"\r\n\r\n") {
        let head = std::str::from_utf8(&came[..end]).unwrap();
        came = &came[end + 4..];
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
            chunked(&mut came)
        } else {
            let length = header("content-length").map_or(came.len(), |length| length.parse().unwrap());
            let taken = length.min(came.len());
            let (body, rest) = came.split_at(taken);
            came = rest;
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

fn chunked(came: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = find(came, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&came[..end]).unwrap(), 16).unwrap();
        let rest = &came[end + 2..];
        if rest.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&rest[..size]);
        *came = &rest[size + 2..];
        if size == 0 {
            return (body, true);
        }
    }
    (body, false)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
