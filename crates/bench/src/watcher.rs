//! What watches a gateway in production: a collector that takes its spans, and a Prometheus that reads its metrics every
//! second. On a thread of its own, so that the load is not held up; ends with this process.

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

use crate::load::connect;

/// The watcher at work.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// Where spans are sent.
    pub(crate) collector: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    exported_bytes: AtomicU64,
    scrapes: AtomicU64,
}

impl Watcher {
    /// Starts it; the metrics will be at that address.
    pub(crate) fn start(metrics: SocketAddr) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let collector = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::join!(collect(listener, Arc::clone(&counted)), scrape(metrics, &counted));
            });
        });
        Ok(Self { collector, seen })
    }

    /// How many MiB of spans came.
    pub(crate) fn exported_mib(&self) -> f64 {
        let bytes = self.seen.exported_bytes.load(Ordering::Relaxed);
        u32::try_from(bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0
    }

    /// How often the metrics were read.
    pub(crate) fn scrapes(&self) -> u64 {
        self.seen.scrapes.load(Ordering::Relaxed)
    }
}

async fn collect(listener: std::net::TcpListener, seen: Arc<Seen>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    while let Ok((connection, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let service = service_fn(move |request| take(request, Arc::clone(&seen)));
            // The gateway hangs up when it ends.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn take(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        seen.exported_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(Response::new(Full::default()))
}

async fn scrape(metrics: SocketAddr, seen: &Seen) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let read = async {
            let request = Request::builder().uri("/metrics").header("host", "bench");
            let answer = connect(metrics)
                .await?
                .send_request(request.body(Empty::new())?)
                .await?;
            anyhow::ensure!(answer.status().is_success());
            answer.into_body().collect().await?;
            anyhow::Ok(())
        };
        if read.await.is_ok() {
            seen.scrapes.fetch_add(1, Ordering::Relaxed);
        }
    }
}
