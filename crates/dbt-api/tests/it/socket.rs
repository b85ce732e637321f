//! A TCP listener with faults that HTTP libraries do not offer: closed, reset and silent connections, invalid answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The reaction to one request, after it has been read completely.
#[derive(Clone, Copy)]
pub(crate) enum Move {
    /// Writes this and waits for the next request on the same connection.
    Answer(&'static str),
    /// Writes this and closes the connection.
    AnswerAndClose(&'static str),
    /// Resets the connection.
    Reset,
    /// Writes this and keeps the connection open, silently.
    AnswerAndHang(&'static str),
}

pub(crate) struct Listener {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Each request, on any connection, gets the next of `moves`; after the last one all connections are reset.
    pub(crate) async fn start(moves: impl IntoIterator<Item = Move>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let moves = Arc::new(Mutex::new(moves.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&moves), Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    /// The first line of every request that was read.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut connection: TcpStream, moves: Arc<Mutex<VecDeque<Move>>>, seen: Arc<Mutex<Vec<String>>>) {
    while let Some(line) = read_request(&mut connection).await {
        seen.lock().unwrap().push(line);
        let next = moves.lock().unwrap().pop_front().unwrap_or(Move::Reset);
        match next {
            Move::Answer(text) => connection.write_all(text.as_bytes()).await.unwrap(),
            Move::AnswerAndClose(text) => {
                connection.write_all(text.as_bytes()).await.unwrap();
                connection.shutdown().await.unwrap();
                return;
            }
            Move::Reset => {
                connection.set_zero_linger().unwrap();
                return;
            }
            Move::AnswerAndHang(text) => {
                connection.write_all(text.as_bytes()).await.unwrap();
                // Holds the connection open until the client closes it.
                let _ = read_request(&mut connection).await;
                return;
            }
        }
    }
}

/// Reads head and body (by `content-length`) of one request. Returns its first line.
async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = connection.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return head.lines().next().map(str::to_owned);
            }
        }
    }
}
