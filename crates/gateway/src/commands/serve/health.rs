//! The listener of health checks and metrics, apart from that of callers: a gateway that is full answers its probes.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::connections::{self, Closing, Counts};
use super::layer_settings;

/// Serves health checks until it is dropped.
pub(crate) struct HealthServer(JoinHandle<()>, Closing);

impl HealthServer {
    /// Listens at `address`.
    pub(crate) async fn start(address: SocketAddr, router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} (health.listen)"))?;
        tracing::info!(address = %listener.local_addr()?, "serving health checks and metrics");
        let closing = Closing::default();
        let serving = connections::serve(
            listener,
            router,
            layer_settings::health_connections(),
            closing.clone(),
            Arc::<Counts>::default(),
        );
        Ok(Self(tokio::spawn(serving), closing))
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        let Self(serving, closing) = self;
        serving.abort();
        closing.when_idle.cancel();
        closing.immediately.cancel();
    }
}
