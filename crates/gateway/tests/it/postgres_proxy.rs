//! A TCP proxy in front of Postgres that can be cut or become silent.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// What happens to bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forwards,
    /// Open connections are closed, new ones end immediately.
    Cut,
    /// Connections stay open, and their bytes are dropped.
    Silent,
}

/// Forwards connections to a socket.
pub(crate) struct PostgresProxy {
    port: u16,
    mode: watch::Sender<Mode>,
}

impl PostgresProxy {
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, watching) = watch::channel(Mode::Forwards);
        tokio::spawn(async move {
            loop {
                let (caller, _) = listener.accept().await.unwrap();
                let (socket, mut mode) = (socket.clone(), watching.clone());
                tokio::spawn(async move {
                    if *mode.borrow() == Mode::Cut {
                        return;
                    }
                    let postgres = UnixStream::connect(socket).await.unwrap();
                    let (from_caller, to_caller) = caller.into_split();
                    let (from_postgres, to_postgres) = postgres.into_split();
                    let watched = mode.clone();
                    tokio::select! {
                        () = forward(from_caller, to_postgres, &watched) => {}
                        () = forward(from_postgres, to_caller, &watched) => {}
                        _ = mode.wait_for(|mode| *mode == Mode::Cut) => {}
                    }
                });
            }
        });
        Self { port, mode }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.mode.send_replace(if is_cut { Mode::Cut } else { Mode::Forwards });
    }

    /// Drops every byte from now on.
    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }
}

/// Copies until the end of `from`; drops what it reads while the proxy is silent.
async fn forward(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mode: &watch::Receiver<Mode>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let is_silent = *mode.borrow() == Mode::Silent;
        if !is_silent && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
