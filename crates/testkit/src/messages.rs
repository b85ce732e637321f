//! Messages of Postgres's protocol, as far as `pooler` looks into them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A message after the start of a connection.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len() + 4).unwrap_or_default();
        [&[self.kind], length.to_be_bytes().as_slice(), &self.body].concat()
    }
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Message {
    Message {
        kind,
        body: body.to_vec(),
    }
}

pub(crate) async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let mut body = vec![0; usize::try_from(length).unwrap_or_default().saturating_sub(4)];
    stream.read_exact(&mut body).await?;
    Ok(Message { kind, body })
}

/// The text as the protocol ends it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

/// The name of the prepared statement in a message of a client, and where it begins; `None` if it has none.
pub(crate) fn name_at(message: &Message) -> Option<(usize, String)> {
    let at = match message.kind {
        b'P' => 0,
        // After the portal's name.
        b'B' => end_of(&message.body, 0)? + 1,
        b'D' | b'C' if message.body.first() == Some(&b'S') => 1,
        _ => return None,
    };
    let end = end_of(&message.body, at)?;
    Some((at, String::from_utf8_lossy(&message.body[at..end]).into_owned()))
}

/// The same message with another name in that place.
pub(crate) fn rename(message: &Message, at: usize, name: &str, new: &str) -> Message {
    let body = [&message.body[..at], new.as_bytes(), &message.body[at + name.len()..]].concat();
    Message {
        kind: message.kind,
        body,
    }
}

/// Closes a prepared statement.
pub(crate) fn close(name: &str) -> Message {
    message(b'C', &[b"S", text(name).as_slice()].concat())
}

fn end_of(body: &[u8], from: usize) -> Option<usize> {
    body[from..]
        .iter()
        .position(|byte| *byte == 0)
        .map(|length| from + length)
}
