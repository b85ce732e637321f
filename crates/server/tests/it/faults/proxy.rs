//! A TCP proxy in front of dbt Cloud that does to connections what networks, load balancers and broken servers do.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens to a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire {
    Passes,
    /// Each piece of an answer comes later.
    Delays(Duration),
    /// A TCP reset when the request has arrived.
    Resets,
    /// The connection ends when the request has arrived.
    Closes,
    /// The request vanishes; the connection stays open.
    IsSilent,
    /// The answer ends after its head and this many bytes of its body.
    Cuts(usize),
    /// The body has other bytes, the head is right.
    GarblesBody,
    /// Not even the head is HTTP.
    GarblesAll,
    /// One byte of the answer at a time.
    Drips(Duration),
    /// Every second connection resets, the first one too.
    Flaps,
}

/// The proxy. It forwards once it knows where to.
pub(super) struct FaultyProxy {
    listener: TcpListener,
}

impl FaultyProxy {
    pub(super) async fn bind() -> Self {
        Self {
            listener: TcpListener::bind(("127.0.0.1", 0)).await.unwrap(),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Forwards until the test ends.
    pub(super) fn forward(self, to: SocketAddr, wire: Wire) {
        let connections = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((client, _)) = self.listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let wire = match wire {
                    Wire::Flaps if number.is_multiple_of(2) => Wire::Resets,
                    Wire::Flaps => Wire::Passes,
                    wire => wire,
                };
                // Both ends see how the connection ends.
                tokio::spawn(async move { connection(client, to, wire).await });
            }
        });
    }
}

async fn connection(mut client: TcpStream, to: SocketAddr, wire: Wire) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    let (mut request, mut answer) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let bytes = read?;
                match wire {
                    _ if bytes == 0 => return Ok(()),
                    Wire::Resets => return client.set_zero_linger(),
                    Wire::Closes => return Ok(()),
                    Wire::IsSilent => {}
                    _ => server.write_all(&request[..bytes]).await?,
                }
            }
            read = server.read(&mut answer) => {
                let bytes = read?;
                if bytes == 0 || !pass_on(&mut client, &mut answer[..bytes], wire).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// Returns whether the connection goes on. The simulator sends the head and a short body as one piece.
async fn pass_on(client: &mut TcpStream, piece: &mut [u8], wire: Wire) -> io::Result<bool> {
    let end = piece.windows(4).position(|four| four == b"\r\n\r\n");
    let body = end.map_or(0, |end| end + 4);
    match wire {
        Wire::Delays(time) => tokio::time::sleep(time).await,
        Wire::Cuts(bytes) => {
            client.write_all(&piece[..piece.len().min(body + bytes)]).await?;
            return Ok(false);
        }
        Wire::GarblesBody => piece[body..].fill(0xf0),
        Wire::GarblesAll => piece.fill(0xf0),
        Wire::Drips(pause) => {
            for byte in piece.iter() {
                client.write_all(&[*byte]).await?;
                tokio::time::sleep(pause).await;
            }
            return Ok(true);
        }
        _ => {}
    }
    client.write_all(piece).await?;
    Ok(true)
}
