//! HTTP client: endpoints, connections, readiness.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than a first start, which creates a database.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// What the load requests.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) authorization: String,
}

/// Opens a connection for requests with bodies of type `B`.
pub(crate) async fn connect<B>(address: SocketAddr) -> anyhow::Result<SendRequest<B>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Repeats `GET path` until the status is 2xx.
pub(crate) async fn wait_until_ready(address: SocketAddr, path: String) -> anyhow::Result<()> {
    let until = Instant::now() + START_TIMEOUT;
    loop {
        let response = async {
            let request = Request::builder().uri(&path).header("host", "bench");
            let response = connect(address)
                .await?
                .send_request(request.body(Empty::new())?)
                .await?;
            anyhow::ensure!(response.status().is_success(), "status {}", response.status());
            Ok(())
        };
        match response.await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
