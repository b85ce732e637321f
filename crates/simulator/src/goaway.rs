//! Closes an HTTP/2 connection as load balancers do: GOAWAY with the id of the last stream that is processed, after a
//! number of streams. The `h2` crate cannot name a last stream below the highest one that it has received, so this sits
//! between the client and the server and passes whole frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::{Notify, mpsc};

/// The length of "PRI * HTTP/2.0 …", which a client sends first.
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;
const HEADERS: u8 = 0x1;
const GOAWAY: u8 = 0x7;

/// One frame: its head and payload as received (RFC 9113, section 4.1).
struct Frame(Vec<u8>);

impl Frame {
    async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = vec![0; HEAD_BYTES];
        from.read_exact(&mut bytes).await?;
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        bytes.resize(HEAD_BYTES + length, 0);
        from.read_exact(&mut bytes[HEAD_BYTES..]).await?;
        Ok(Self(bytes))
    }

    /// Without an error code: a graceful end.
    fn goaway(last_stream: u32) -> Self {
        let mut bytes = vec![0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&last_stream.to_be_bytes());
        bytes.extend_from_slice(&0_u32.to_be_bytes());
        Self(bytes)
    }

    fn kind(&self) -> u8 {
        self.0[3]
    }

    fn stream(&self) -> u32 {
        u32::from_be_bytes([self.0[5], self.0[6], self.0[7], self.0[8]]) & 0x7fff_ffff
    }
}

/// Passes frames until one side closes. The head of stream number `after` is followed by GOAWAY; frames of later streams
/// are dropped unread.
pub(crate) async fn relay(client: impl AsyncRead + AsyncWrite, server: DuplexStream, after: u32) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (to_write, mut written) = mpsc::channel::<Frame>(16);
    let goaway = to_write.clone();
    // The first frame of a server must be its SETTINGS.
    let has_begun = Notify::new();
    let inward = async {
        let mut preface = [0; PREFACE_BYTES];
        from_client.read_exact(&mut preface).await?;
        to_server.write_all(&preface).await?;
        has_begun.notified().await;
        let (mut opened, mut last_opened) = (0, 0);
        loop {
            let frame = Frame::read(&mut from_client).await?;
            let opens = frame.kind() == HEADERS && frame.stream() > last_opened;
            if opens && opened < after {
                last_opened = frame.stream();
                opened += 1;
                if opened == after {
                    // Fails only when the writer has ended.
                    let _ = goaway.send(Frame::goaway(last_opened)).await;
                }
            } else if frame.stream() > last_opened {
                continue;
            }
            to_server.write_all(&frame.0).await?;
        }
    };
    let outward = async {
        loop {
            let frame = Frame::read(&mut from_server).await?;
            if to_write.send(frame).await.is_err() {
                return Ok(());
            }
            has_begun.notify_one();
        }
    };
    let writing = async {
        while let Some(frame) = written.recv().await {
            to_client.write_all(&frame.0).await?;
            to_client.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = inward => ended,
        ended = outward => ended,
        ended = writing => ended,
    }
}
