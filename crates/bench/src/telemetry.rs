//! Telemetry consumers: a collector that receives spans over OTLP, and a scraper that reads the metrics every second. They
//! run on a separate thread, so that they do not delay the load.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use crate::http::connect;

/// The running consumers.
#[derive(Debug)]
pub(crate) struct TelemetryConsumers {
    /// Receives spans.
    pub(crate) collector: SocketAddr,
    received: Arc<Received>,
}

#[derive(Debug, Default)]
struct Received {
    exported_bytes: AtomicU64,
    scrapes: AtomicU64,
}

impl TelemetryConsumers {
    /// `metrics` is the address to scrape; it need not be bound yet.
    pub(crate) fn start(metrics: SocketAddr) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let collector = listener.local_addr()?;
        let received = Arc::new(Received::default());
        let for_thread = Arc::clone(&received);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::join!(collect(listener, Arc::clone(&for_thread)), scrape(metrics, &for_thread));
            });
        });
        Ok(Self { collector, received })
    }

    /// Received spans, in MiB.
    pub(crate) fn exported_mib(&self) -> f64 {
        let bytes = self.received.exported_bytes.load(Ordering::Relaxed);
        u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
    }

    /// Number of successful reads of the metrics.
    pub(crate) fn scrapes(&self) -> u64 {
        self.received.scrapes.load(Ordering::Relaxed)
    }
}

async fn collect(listener: std::net::TcpListener, received: Arc<Received>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((connection, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            let service = service_fn(move |request| receive(request, Arc::clone(&received)));
            // An error only means that the gateway closed the connection.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn receive(request: Request<Incoming>, received: Arc<Received>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        received.exported_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(Response::new(Full::default()))
}

async fn scrape(metrics: SocketAddr, received: &Received) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let scraped = async {
            let request = Request::builder().uri("/metrics").header("host", "bench");
            let response = connect(metrics)
                .await?
                .send_request(request.body(Empty::new())?)
                .await?;
            anyhow::ensure!(response.status().is_success());
            response.into_body().collect().await?;
            anyhow::Ok(())
        };
        if scraped.await.is_ok() {
            received.scrapes.fetch_add(1, Ordering::Relaxed);
        }
    }
}
