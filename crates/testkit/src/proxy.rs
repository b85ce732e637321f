//! A TCP proxy in front of Postgres that can fall silent, refuse or delay: what failovers, dropped NAT entries and hung
//! poolers do to connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::target::Target;

/// What happens to the bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They are passed on.
    Pass,
    /// They vanish, and the connection stays open.
    Swallow,
    /// They vanish, except for the ping of sqlx, which is answered.
    OnlyPings,
    /// They are passed on after that time.
    Delay(Duration),
    /// The connection is closed.
    Refuse,
}

/// The protocol's message `Sync`, which is the ping of sqlx.
const SYNC: &[u8] = b"S\0\0\0\x04";

/// Forwards connections to a Postgres. Ends when dropped.
#[derive(Debug)]
pub struct SwitchableProxy {
    port: u16,
    target: watch::Sender<Target>,
    flows: watch::Sender<Flows>,
    connections: Arc<AtomicU64>,
    accepting: AbortHandle,
}

#[derive(Debug, Clone, Copy)]
struct Flows {
    /// Connections with a lower number, in the order of their arrival, are existing ones.
    boundary: u64,
    existing: Flow,
    new: Flow,
}

impl Flows {
    fn of(&self, connection: u64) -> Flow {
        if connection < self.boundary {
            self.existing
        } else {
            self.new
        }
    }
}

impl SwitchableProxy {
    /// A proxy to the server of these options, on a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(server: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (flows, watched) = watch::channel(Flows {
            boundary: 0,
            existing: Flow::Pass,
            new: Flow::Pass,
        });
        let connections = Arc::<AtomicU64>::default();
        let (target, to) = watch::channel(Target::of(server));
        let accepting = tokio::spawn(accept(listener, to, watched, Arc::clone(&connections))).abort_handle();
        Self {
            port,
            target,
            flows,
            connections,
            accepting,
        }
    }

    /// The address of that database through the proxy, as a URL.
    pub fn url(&self, database: &PgConnectOptions) -> String {
        let (user, name) = (database.get_username(), database.get_database().unwrap_or("postgres"));
        format!("postgres://{user}@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Sets the flow of all connections, open and new.
    pub fn set(&self, flow: Flow) {
        self.switch(flow, flow);
    }

    /// Sets the flow of the connections that are open now; new ones pass.
    pub fn set_existing(&self, flow: Flow) {
        self.switch(flow, Flow::Pass);
    }

    /// Leads new connections to the server of these options. Existing ones stay where they are.
    pub fn retarget(&self, server: &PgConnectOptions) {
        self.target.send_replace(Target::of(server));
    }

    /// How many connections have been accepted.
    pub fn accepted(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    fn switch(&self, existing: Flow, new: Flow) {
        let boundary = self.accepted();
        self.flows.send_replace(Flows {
            boundary,
            existing,
            new,
        });
    }
}

impl Drop for SwitchableProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<Target>,
    flows: watch::Receiver<Flows>,
    connections: Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        let (target, flows) = (target.borrow().clone(), flows.clone());
        tokio::spawn(async move {
            // A broken connection is what both ends then see.
            if let Ok(server) = target.connect().await {
                let _ = forward(client, server, number, flows).await;
            }
        });
    }
}

async fn forward(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite,
    number: u64,
    mut flows: watch::Receiver<Flows>,
) -> io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let (up, down) = (flows.clone(), flows.clone());
    tokio::select! {
        done = pipe(from_client, to_server, number, up, true) => done,
        done = pipe(from_server, to_client, number, down, false) => done,
        _ = flows.wait_for(|flows| flows.of(number) == Flow::Refuse) => Ok(()),
    }
}

async fn pipe(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    flows: watch::Receiver<Flows>,
    is_from_client: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let bytes = from.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        let flow = flows.borrow().of(number);
        let piece = &buffer[..bytes];
        match flow {
            Flow::Swallow => continue,
            // What a client was not allowed to ask gets no answer.
            Flow::OnlyPings if is_from_client && piece != SYNC => continue,
            Flow::Refuse => return Ok(()),
            Flow::Delay(time) => tokio::time::sleep(time).await,
            Flow::Pass | Flow::OnlyPings => {}
        }
        to.write_all(piece).await?;
    }
}
