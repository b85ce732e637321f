//! Serves the connections of the TLS listener, by the protocol that the client chose.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use axum::serve::Listener as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;

use crate::connection::{BreakableListener, BreakableStream};
use crate::http2::{self, ConnectionError};
use crate::state::State;
use crate::tls::{HTTP2, Tls};

/// Serves for ever. Dropped, it drops its connections.
pub(crate) async fn serve(tls: Tls, state: Arc<State>, app: Router) {
    let mut listener = BreakableListener(tls.listener);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await;
        let (acceptor, state, app) = (tls.acceptor.clone(), Arc::clone(&state), app.clone());
        connections.spawn(async move {
            if let Err(error) = connection(stream, &acceptor, state, app).await {
                tracing::debug!(%error, "a TLS connection ended");
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(
    stream: BreakableStream,
    acceptor: &tokio_rustls::TlsAcceptor,
    state: Arc<State>,
    app: Router,
) -> Result<(), ConnectionError> {
    let handle = stream.handle().with_tls();
    let stream = acceptor.accept(stream).await?;
    let app = app.layer(Extension(ConnectInfo(handle.clone())));
    if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
        return http2::serve(stream, &state, &handle, app).await;
    }
    auto::Builder::new(TokioExecutor::new())
        .http1_only()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .await
}
