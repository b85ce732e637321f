//! What an attacker does, and the tools for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

/// Between two attempts of an attacker: what is slow is attacked here, not the processor.
const PAUSE: Duration = Duration::from_millis(500);

/// The target of an attack.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// `Bearer …` of a valid key, which is not that of the honest callers.
    pub(crate) authorization: String,
    /// The attacker's own address.
    pub(crate) from: Ipv4Addr,
}

/// One kind of hostile or slow caller.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Concurrent attackers.
    pub(crate) attackers: usize,
    /// What one attacker does; repeated until the attack ends.
    pub(crate) run: fn(Target, usize) -> BoxFuture<'static, ()>,
    /// Whether each attacker has an address of its own.
    pub(crate) many_addresses: bool,
}

/// Repeats the attack until the task is aborted.
pub(crate) async fn repeat(attack: &'static Attack, target: Target, number: usize) {
    loop {
        (attack.run)(target.clone(), number).await;
        sleep(PAUSE).await;
    }
}

impl Target {
    pub(crate) async fn connect(&self) -> Option<TcpStream> {
        self.socket()?.connect(self.address).await.ok()
    }

    fn socket(&self) -> Option<TcpSocket> {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind((self.from, 0).into()).ok()?;
        Some(socket)
    }

    /// A connection with small buffers, so that what is not read waits in the gateway soon.
    pub(crate) async fn connect_narrow(&self) -> Option<TcpStream> {
        let socket = self.socket()?;
        socket.set_recv_buffer_size(4096).ok()?;
        socket.connect(self.address).await.ok()
    }

    /// The head of a request with the key.
    pub(crate) fn head(&self, method: &str, path: &str, more: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: {}\r\n{more}\r\n",
            self.authorization
        )
    }
}

/// Sends the text, then one more byte of `then` every `pause` until the gateway closes the connection.
pub(crate) async fn drip(mut stream: TcpStream, text: &str, then: &[u8], pause: Duration) {
    if stream.write_all(text.as_bytes()).await.is_err() {
        return;
    }
    for byte in then.iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        let mut answer = [0; 256];
        if let Ok(Ok(0) | Err(_)) = tokio::time::timeout(pause, stream.read(&mut answer)).await {
            return;
        }
    }
}

/// Reads at most `bytes` every second until the end.
pub(crate) async fn read_slowly(mut stream: TcpStream, bytes: usize) {
    let mut buffer = vec![0; bytes];
    while let Ok(1..) = stream.read(&mut buffer).await {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Reads to the end.
pub(crate) async fn read_all(mut stream: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(1..) = stream.read(&mut buffer).await {}
}
