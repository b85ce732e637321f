//! The TLS listener's socket and certificate. The certificate is made at each start, so no key is kept anywhere.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The names of the certificate.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// In the order of preference.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
pub(crate) const HTTP2: &[u8] = b"h2";

/// A bound listener with its certificate.
pub(crate) struct Tls {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) acceptor: TlsAcceptor,
    /// The certificate, which signs itself.
    pub(crate) ca_pem: String,
}

impl Tls {
    /// Binds the address, makes a certificate and writes it to `ca_file`.
    pub(crate) async fn bind(address: SocketAddr, ca_file: Option<&Path>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).map_err(io::Error::other)?;
        let ca_pem = cert.pem();
        if let Some(file) = ca_file {
            tokio::fs::write(file, &ca_pem).await?;
        }
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![cert.der().clone()], key.into())
            })
            .map_err(io::Error::other)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Self {
            listener,
            address,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            ca_pem,
        })
    }
}
