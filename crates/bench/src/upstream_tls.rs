//! The upstream over TLS and HTTP/2, with a certificate of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// Writes the certificate to `file`.
    pub(crate) async fn bind(file: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let names = vec![Ipv4Addr::LOCALHOST.to_string()];
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(names)?;
        std::fs::write(file, cert.pem())?;
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever.
    pub(crate) async fn serve<Answer>(
        self,
        respond: impl Fn(Request<Incoming>) -> Answer + Clone + Send + 'static,
    ) -> anyhow::Result<()>
    where
        Answer: Future<Output = Result<Response<BoxBody<Bytes, Infallible>>, Infallible>> + Send + 'static,
    {
        loop {
            let (connection, _) = self.listener.accept().await?;
            connection.set_nodelay(true)?;
            let (acceptor, respond) = (self.acceptor.clone(), respond.clone());
            tokio::spawn(async move {
                let connection = acceptor.accept(connection).await?;
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), service_fn(respond))
                    .await?;
                anyhow::Ok(())
            });
        }
    }
}
